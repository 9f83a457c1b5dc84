"""What directions do to prompts at every strength, as rows of one batch over the same prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor, stack
from tqdm import tqdm

from latentmech.direction import Direction
from latentmech.steering.damage import Divergence, Untouched, divergence, kl_of, neutral_perplexity
from latentmech.steering.edits import Steerer
from latentmech.steering.generation import completions, next_logits
from latentmech.steering.strength import Strength
from latentmech.steering.trials import Trials

Doses = Mapping[float, Strength]  # by the number that was asked for


@dataclass(frozen=True)
class Response:
    """What some directions do to every prompt.

    Attributes:
        strengths: as they were asked for.
        change: of the log-odds of the behaviour against the untouched model, in nats.
        kl: of the next token's distribution from the untouched model's, in nats.
    """

    strengths: tuple[float, ...]
    change: Float[np.ndarray, "direction strength prompt"]
    kl: Float[np.ndarray, "direction strength prompt"]

    def at(self, strength: float) -> Float[np.ndarray, "direction prompt"]:
        """The change at one strength."""
        return self.change[:, self.strengths.index(strength)]


def response(
    steerer: Steerer,
    trials: Trials,
    directions: Sequence[Direction],
    doses: Doses,
    progress: Callable[[int], object] = int,
) -> tuple[Float[np.ndarray, " prompt"], Response]:
    """Log-odds of the untouched model, and what each direction does at its own hook point at each strength."""
    variants = [{}, *(steerer(direction, strength) for direction in directions for strength in doses.values())]
    clean: dict[tuple[int, ...], Tensor] = {}

    def read(logits: Tensor, places: Sequence[int]) -> Tensor:
        log_probs, key = logits.float().log_softmax(-1), tuple(places)
        if key not in clean:  # of these prompts the untouched model comes first
            clean.clear()
            clean[key] = log_probs
        return stack([trials.at(places).odds(log_probs), kl_of(clean[key], log_probs)], 1)

    found = next_logits(steerer.model, variants, trials.texts, read, scope=steerer.scope, progress=progress)
    score, kl = found.double().numpy().transpose(2, 0, 1)
    shape = (len(directions), len(doses), len(trials))
    return score[0], Response(tuple(doses), (score[1:] - score[0]).reshape(shape), kl[1:].reshape(shape))


@dataclass(frozen=True, kw_only=True)
class SteeringSweep:
    """Everything measured of one direction over strengths.

    Attributes:
        clean: log-odds of the untouched model after each prompt.
        own: what the direction does.
        others: the same of random directions, by what they are.
        cost: KL and log-loss on the untouched model's own text.
        neutral: perplexity of a neutral text, the untouched model's first.
        answers: completions of each prompt, the untouched model's first.
        prompting: log-odds of the untouched model after each prompt with an instruction for, and against.
    """

    clean: Float[np.ndarray, " prompt"]
    own: Response
    others: Mapping[str, Response]
    cost: Divergence
    neutral: Sequence[float]
    answers: Sequence[Sequence[str]]
    prompting: Mapping[str, Float[np.ndarray, " prompt"]]


def swept(
    steerer: Steerer,
    trials: Trials,
    runs: Sequence[Untouched],
    direction: Direction,
    doses: Doses,
    others: Mapping[str, tuple[Sequence[Direction], Doses]],
    prompting: Mapping[str, Sequence[str]],
    *,
    n_tokens: int,
    neutral_words: int,
) -> SteeringSweep:
    """Run it, with a bar that says how long it takes.

    Args:
        runs: what the untouched model says after each prompt.
        others: directions to set beside it, and the strengths at which.
        prompting: for each instruction, the prompts with it in front.
    """
    model, scope, own = steerer.model, steerer.scope, [steerer(direction, strength) for strength in doses.values()]
    rows = 3 * len(doses) + 2 + sum(1 + len(some) * len(at) for some, at in others.values())
    with tqdm(total=rows * len(trials), unit="row", desc=f"{model.name}: steering", mininterval=1) as bar:
        clean, found = response(steerer, trials, [direction], doses, bar.update)
        beside = {name: response(steerer, trials, *one, bar.update)[1] for name, one in others.items()}
        told = {
            name: next_logits(model, [{}], texts, lambda logits, at: trials.at(at).log_odds(logits))[0].double().numpy()
            for name, texts in prompting.items()
        }
        return SteeringSweep(
            clean=clean,
            own=found,
            others=beside,
            cost=divergence(model, own, runs, scope=scope, progress=bar.update),
            neutral=neutral_perplexity(model, [{}, *own], neutral_words, scope=scope),
            answers=completions(model, [{}, *own], trials.texts, n_tokens, scope=scope, progress=bar.update),
            prompting=told,
        )

"""What directions do to prompts at every strength, as rows of one batch over the same prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor, stack
from tqdm import tqdm

from latentmech.direction import Direction
from latentmech.model import tokenise
from latentmech.report import announce
from latentmech.steering.damage import Divergence, divergence, kl_of, neutral_perplexity, untouched_runs
from latentmech.steering.edits import Steerer, Strength
from latentmech.steering.generation import completions, next_logits
from latentmech.steering.settings import SteeringSettings
from latentmech.steering.trials import Trials, log_odds_of

Doses = Mapping[float, Strength]  # by the number that was asked for
Dosed = tuple[Sequence[Direction], Doses]  # directions, and the strengths at which they are run
Prompts = Float[np.ndarray, " prompt"]


@dataclass(frozen=True)
class Response:
    """What some directions do to every prompt.

    Attributes:
        clean: log-odds of the behaviour in the untouched model, in nats.
        change: of these.
        kl: of the next token's distribution from the untouched model's, in nats.
    """

    strengths: tuple[float, ...]
    clean: Prompts
    change: Float[np.ndarray, "direction strength prompt"]
    kl: Float[np.ndarray, "direction strength prompt"]

    def at(self, strength: float) -> Float[np.ndarray, "direction prompt"]:
        """The change at one strength."""
        return self.change[:, self.strengths.index(strength)]


def response(steerer: Steerer, trials: Trials, dosed: Dosed, progress: Callable[[int], object] = int) -> Response:
    """What each direction does at its own hook point at each strength."""
    directions, doses = dosed
    variants = [{}, *(steerer(direction, strength) for direction in directions for strength in doses.values())]
    clean: dict[tuple[int, ...], Tensor] = {}

    def read(logits: Tensor, places: Sequence[int]) -> Tensor:
        log_probs, key = logits.float().log_softmax(-1), tuple(places)
        if key not in clean:  # of these prompts the untouched model comes first
            clean.clear()
            clean[key] = log_probs
        asked = trials.at(places)
        return stack([log_odds_of(log_probs, asked.towards, asked.away), kl_of(clean[key], log_probs)], 1)

    found = next_logits(steerer.model, variants, trials.texts, read, scope=steerer.scope, progress=progress)
    score, kl = found.double().numpy().transpose(2, 0, 1)
    shape = (len(directions), len(doses), len(trials))
    return Response(tuple(doses), score[0], (score[1:] - score[0]).reshape(shape), kl[1:].reshape(shape))


@dataclass(frozen=True, kw_only=True)
class SteeringSweep:
    """Everything measured of one direction over strengths.

    Attributes:
        own: what the direction does, prompt by prompt.
        others: the same of directions without meaning, by what they are.
        cost: KL and log-loss on the untouched model's own text.
        neutral: perplexity of a neutral text, the untouched model's first.
        answers: completions of each prompt, the untouched model's first.
        prompting: log-odds of the untouched model after each prompt with an instruction for, and against.
    """

    own: Response
    others: Mapping[str, Response]
    cost: Divergence
    neutral: Sequence[float]
    answers: Sequence[Sequence[str]]
    prompting: Mapping[str, Prompts]


def swept(
    steerer: Steerer, trials: Trials, own: Dosed, others: Mapping[str, Dosed], prompting: Mapping[str, Sequence[str]],
    asked: SteeringSettings,
) -> SteeringSweep:  # fmt: skip
    """Run it, with a bar that says how long it takes; `prompting` holds the prompts behind each instruction."""
    model, scope, ((direction,), doses) = steerer.model, steerer.scope, own
    variants = [{}, *(steerer(direction, strength) for strength in doses.values())]
    rows = 3 * len(doses) + 2 + sum(1 + len(some) * len(at) for some, at in others.values())
    read = int(tokenise(model, trials.texts, [f"{i}" for i in range(len(trials))]).lengths.sum())
    written = len(variants) * len(trials) * asked.n_tokens
    amounts = {"rows": rows * len(trials), "tokens read": rows * read, "tokens written at most": written}
    asked_for = ", ".join(f"{strength:+g}" for strength in doses)
    announce(f"{model.name}: steering {len(trials)} prompts at {asked_for}", amounts)
    with tqdm(total=rows * len(trials), unit="row", desc=f"{model.name}: steering", mininterval=1) as bar:

        def told(texts: Sequence[str]) -> Prompts:
            found = next_logits(model, [{}], texts, lambda logits, at: trials.at(at).log_odds(logits))
            return found[0].double().numpy()

        return SteeringSweep(
            own=response(steerer, trials, own, bar.update),
            others={name: response(steerer, trials, other, bar.update) for name, other in others.items()},
            cost=divergence(model, variants[1:], untouched_runs(model, trials.texts, asked.kl_tokens), scope=scope,
                            progress=bar.update),
            neutral=neutral_perplexity(model, variants, asked.neutral_words, scope=scope),
            answers=completions(model, variants, trials.texts, asked.n_tokens, scope=scope, progress=bar.update),
            prompting={name: told(texts) for name, texts in prompting.items()},
        )  # fmt: skip

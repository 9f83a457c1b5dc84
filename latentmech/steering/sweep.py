"""A dose-response sweep: every strength, every control, as rows of one batch over the same prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from latentmech.errors import BadInput
from latentmech.model import Edit, Model, Scope
from latentmech.steering.damage import Clean, Drift, drift, neutral_perplexity, repetition
from latentmech.steering.gate import Gate
from latentmech.steering.generation import Variant, completions, next_logits
from latentmech.steering.interventions import Addition, Clamp, Rotation
from latentmech.steering.trials import Trials

EDITS = ("addition", "rotation", "clamp")


def edit_of(kind: str, vector: Float[Tensor, " d_model"], length: float) -> Edit:
    """One edit of a sweep: `length` along the unit vector.

    `addition` and `rotation` move by it; `clamp` makes it the projection that every token has.
    """
    if kind == "clamp":
        return Clamp(vector, length)
    if kind not in EDITS:
        raise BadInput(f"steering.edit={kind} is unknown; expected one of {', '.join(EDITS)}")
    return Addition(length * vector) if kind == "addition" else Rotation(length * vector)


@dataclass(frozen=True, kw_only=True)
class Dose:
    """What is measured for one direction at every strength.

    Attributes:
        score: log-odds of the behaviour after each prompt, in nats.
    """

    score: Float[np.ndarray, "strength prompt"]

    def effect(self, clean: Float[np.ndarray, " prompt"]) -> Float[np.ndarray, " strength"]:
        """Mean change against the untouched model."""
        return (self.score - clean).mean(1)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Everything measured over strengths.

    Attributes:
        lengths: what was added, along the unit vector.
        clean: log-odds of the untouched model after each prompt.
        own: the direction itself.
        random: random directions of the same length.
        shuffled: the direction of shuffled labels; None where there are no training texts to shuffle.
        drift: KL and log-loss on the untouched model's own text.
        neutral: perplexity of a neutral text, the untouched model's first.
        answers: completions of each prompt; `clean_answers` are the untouched model's.
        repetition: share of repeated trigrams.
        prompting: log-odds of the untouched model after each prompt with an instruction for, and against.
    """

    lengths: Sequence[float]
    clean: Float[np.ndarray, " prompt"]
    own: Dose
    random: Sequence[Dose]
    shuffled: Dose | None
    drift: Drift
    neutral: Sequence[float]
    answers: Sequence[Sequence[str]]
    clean_answers: Sequence[str]
    repetition: Sequence[float]
    prompting: Mapping[str, Float[np.ndarray, " prompt"]]


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """How a sweep is run."""

    model: Model
    hook_name: str
    edit: str
    scope: Scope
    n_tokens: int
    neutral_words: int
    gate: Gate | None = None

    def __call__(
        self,
        trials: Trials,
        runs: Sequence[Clean],
        vector: Float[Tensor, " d_model"],
        lengths: Sequence[float],
        random: Float[Tensor, "draw d_model"],
        shuffled: Float[Tensor, " d_model"] | None,
        prompting: Mapping[str, Sequence[str]],
    ) -> Sweep:
        """Run it, with a bar that says how long it takes.

        Args:
            runs: what the untouched model says after each prompt.
            random: unit vectors.
            prompting: for each instruction, the prompts with it in front.
        """
        others = [*random, *([] if shuffled is None else [shuffled])]
        own = self.variants(vector, lengths)
        rows = (len(lengths) * (3 + len(others)) + 2 + len(prompting)) * len(trials)
        with tqdm(total=rows, unit="row", desc=f"{self.model.name}: steering", mininterval=1) as bar:
            first = [{}, *own, *(v for vector in others for v in self.variants(vector, lengths))]
            scores = self._scores(first, trials, trials.texts, bar.update)
            doses = scores[1:].reshape(1 + len(others), len(lengths), len(trials))
            told = {name: self._scores([{}], trials, texts, bar.update)[0] for name, texts in prompting.items()}
            cost = drift(self.model, own, runs, scope=self.scope, progress=bar.update)
            clean, *answers = completions(
                self.model, [{}, *own], trials.texts, self.n_tokens, scope=self.scope, progress=bar.update
            )
        return Sweep(
            lengths=lengths,
            clean=scores[0],
            own=Dose(score=doses[0]),
            random=[Dose(score=dose) for dose in doses[1 : 1 + len(random)]],
            shuffled=None if shuffled is None else Dose(score=doses[-1]),
            drift=cost,
            neutral=neutral_perplexity(self.model, [{}, *own], self.neutral_words, scope=self.scope),
            answers=answers,
            clean_answers=clean,
            repetition=[repetition(texts) for texts in (clean, *answers)],
            prompting=told,
        )

    def variants(self, vector: Float[Tensor, " d_model"], lengths: Sequence[float]) -> list[Variant]:
        """One variant per length."""
        edits = [edit_of(self.edit, vector, length) for length in lengths]
        return [{self.hook_name: edit if self.gate is None else self.gate(edit)} for edit in edits]

    def _scores(
        self, variants: Sequence[Variant], trials: Trials, texts: Sequence[str], progress: object
    ) -> Float[np.ndarray, "variant prompt"]:
        def read(logits: Tensor, places: Sequence[int]) -> Tensor:
            return trials.at(places).log_odds(logits)

        return next_logits(self.model, variants, texts, read, scope=self.scope, progress=progress).double().numpy()  # type: ignore[arg-type]


def slopes(score: Float[np.ndarray, "strength prompt"], strengths: Sequence[float]) -> Float[np.ndarray, " prompt"]:
    """Least-squares slope of each prompt's log-odds over the strengths, in nats per unit; 0 for one strength."""
    centred = np.asarray(strengths) - np.mean(strengths)
    spread = (centred**2).sum()
    return (centred @ (score - score.mean(0))) / spread if spread > 0 else np.zeros(score.shape[1])

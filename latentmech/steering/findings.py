"""What a steering study has found: every estimate once, by strength or by name, and the facts of the measurement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from latentmech.direction import Choice, Direction
from latentmech.statistics import Estimate
from latentmech.steering.edits import EditKind
from latentmech.steering.layer import LayerChoice
from latentmech.steering.necessity import NecessityFindings
from latentmech.steering.trials import Trials
from latentmech.steering.verdict import SteeringVerdict


@dataclass(frozen=True, kw_only=True)
class NullEffects:
    """What directions without meaning do.

    Attributes:
        strengths: at which they were run.
        effect: mean change of the log-odds over prompts, in nats.
        kl: mean KL of the next token, in nats.
        layers: the block of each.
        about: what they are.
    """

    strengths: tuple[float, ...]
    effect: Float[np.ndarray, "direction strength"]
    kl: Float[np.ndarray, "direction strength"]
    layers: tuple[int | None, ...]
    about: str

    def ends(self, strength: float) -> tuple[float, float]:
        """The smallest and the largest effect at one strength."""
        column = self.effect[:, self.strengths.index(strength)]
        return float(column.min()), float(column.max())


@dataclass(frozen=True, kw_only=True)
class SteeringFindings:
    """Everything that the report is made of.

    Attributes:
        direction: where it was used.
        kind: how it was used.
        edit: the name of that.
        unit: of the strengths.
        doses: by strength, estimates by name: `effect`, `kl`, `neutral_perplexity` and others.
        overall: `clean`, `slope`, `wrong_way`, and what instructions did.
        nulls: directions without meaning, by kind.
        exchanged: p-value against exchanged labels, and how many; None where there were none or they say nothing.
        scores: log-odds of every prompt at every strength, in nats.
        answers: completions of each prompt, the untouched model's first.
        choice: how the block was chosen, if it was.
        selection: how the direction was chosen, if it was found here.
        necessity: whether the behaviour needs the direction, if that was asked.
    """

    direction: Direction
    trials: Trials
    kind: EditKind
    edit: str
    unit: str
    strengths: tuple[float, ...]
    doses: Mapping[float, Mapping[str, Estimate]]
    overall: Mapping[str, Estimate]
    nulls: Mapping[str, NullEffects]
    exchanged: tuple[float, int] | None
    verdict: SteeringVerdict
    clean: Float[np.ndarray, " prompt"]
    scores: Float[np.ndarray, "strength prompt"]
    slope: Float[np.ndarray, " prompt"]
    answers: Sequence[Sequence[str]]
    choice: LayerChoice | None
    selection: Choice | None
    necessity: NecessityFindings | None
    n_tokens: int
    kl_tokens: int
    gate: str | None
    notes: tuple[str, ...]
    exports: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)

    def of(self, name: str) -> list[Estimate]:
        """One estimate, strength by strength."""
        return [self.doses[strength][name] for strength in self.strengths]

    @property
    def ascending(self) -> list[int]:
        """Places of the strengths from the lowest to the highest."""
        return np.argsort(self.strengths, kind="stable").tolist()

    @property
    def ends(self) -> list[float]:
        """The lowest and the highest strength, as far as they do anything to the model."""
        found = dict.fromkeys((min(self.strengths), max(self.strengths)))
        return [strength for strength in found if strength != self.kind.neutral]

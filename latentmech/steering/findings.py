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
from latentmech.steering.necessity import NecessityFindings, TextRates
from latentmech.steering.sweep import Response
from latentmech.steering.trials import Trials
from latentmech.steering.verdict import SteeringVerdict

__all__ = ["NecessityFindings", "NullEffects", "SteeringFindings", "TextRates"]


@dataclass(frozen=True, kw_only=True)
class NullEffects:
    """What directions without meaning do.

    Attributes:
        title: what a reader calls them.
        strengths: at which they were run.
        effect: mean change of the log-odds over prompts, in nats.
        kl: mean KL of the next token, in nats.
        layers: the block of each.
    """

    title: str
    strengths: tuple[float, ...]
    effect: Float[np.ndarray, "direction strength"]
    kl: Float[np.ndarray, "direction strength"]
    layers: tuple[int | None, ...]

    @classmethod
    def of(cls, title: str, found: Response, directions: Sequence[Direction]) -> "NullEffects":
        """Means over prompts."""
        return cls(
            title=title,
            strengths=found.strengths,
            effect=found.change.mean(2),
            kl=found.kl.mean(2),
            layers=tuple(one.layer for one in directions),
        )

    def at(self, strength: float) -> Float[np.ndarray, " direction"]:
        """The effect of each at one strength; none at one that leaves the model untouched, where they were not run."""
        if strength not in self.strengths:
            return np.zeros(len(self.effect))
        return self.effect[:, self.strengths.index(strength)]


@dataclass(frozen=True, kw_only=True)
class SteeringFindings:
    """Everything that the report is made of.

    Attributes:
        direction: where it was used.
        kind: how it was used.
        edit: the name of that.
        unit: of the strengths.
        ends: the strengths that the verdict looks at.
        doses: by strength, estimates by name: `effect`, `kl`, `neutral_perplexity` and others.
        overall: `clean`, `slope`, `wrong_way`, and what instructions did.
        nulls: directions without meaning, by kind.
        exchanged: p-value against exchanged labels, and how many; None where there were none or they say nothing.
        clean: log-odds of every prompt by the untouched model, in nats.
        change: of these at every strength.
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
    ends: tuple[float, ...]
    doses: Mapping[float, Mapping[str, Estimate]]
    overall: Mapping[str, Estimate]
    nulls: Mapping[str, NullEffects]
    exchanged: tuple[float, int] | None
    verdict: SteeringVerdict
    clean: Float[np.ndarray, " prompt"]
    change: Float[np.ndarray, "strength prompt"]
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

"""What a steering study has found: every estimate once, by strength or by name, and the facts of the measurement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from latentmech.direction import Choice, Direction
from latentmech.statistics import Estimate
from latentmech.steering.edits import EditKind
from latentmech.steering.layer import LayerChoice
from latentmech.steering.necessity import NecessityFindings
from latentmech.steering.nulls import TITLES
from latentmech.steering.settings import SteeringSettings
from latentmech.steering.sweep import Response, SteeringSweep
from latentmech.steering.trials import Trials
from latentmech.steering.verdict import SteeringVerdict


@dataclass(frozen=True, kw_only=True)
class SteeringFindings:
    """Everything that the report is made of.

    Attributes:
        direction: where it was used.
        settings: what was asked for.
        kind: how it was used.
        unit: of the strengths.
        ends: the strengths that the verdict looks at.
        doses: by strength, estimates by name: `effect`, `kl`, `neutral_perplexity` and others.
        overall: `clean`, `slope`, `wrong_way`, and what instructions did.
        exchanged: p-value against exchanged labels, and how many; None where there were none or they say nothing.
        sweep: prompt by prompt, what the direction did, and what directions without meaning did, by kind.
        slope: of every prompt, in nats per unit of strength.
        choice: how the block was chosen, if it was.
        selection: how the direction was chosen, if it was found here.
        necessity: whether the behaviour needs the direction, if that was asked.
    """

    direction: Direction
    trials: Trials
    settings: SteeringSettings
    kind: EditKind
    unit: str
    strengths: tuple[float, ...]
    ends: tuple[float, ...]
    doses: Mapping[float, Mapping[str, Estimate]]
    overall: Mapping[str, Estimate]
    exchanged: tuple[float, int] | None
    verdict: SteeringVerdict
    sweep: SteeringSweep
    slope: Float[np.ndarray, " prompt"]
    choice: LayerChoice | None
    selection: Choice | None
    necessity: NecessityFindings | None
    notes: Sequence[str]
    exports: Mapping[str, Callable[[Path], object]]

    @property
    def nulls(self) -> Mapping[str, Response]:
        """What directions without meaning did, by kind."""
        return self.sweep.others

    def of(self, name: str) -> list[Estimate]:
        """One estimate, from the lowest strength to the highest."""
        return [self.doses[strength][name] for strength in sorted(self.strengths)]

    def null(self, kind: str, strength: float) -> Float[np.ndarray, " direction"]:
        """Mean effect of each direction without meaning; none where the model is untouched and they were not run."""
        found = self.nulls[kind]
        return found.at(strength).mean(1) if strength in found.strengths else np.zeros(len(found.change))

    def null_kl(self, kind: str, strength: float) -> float:
        """Mean KL of the next token over all of them."""
        found = self.nulls[kind]
        return float(found.kl[:, found.strengths.index(strength)].mean())

    def title(self, kind: str) -> str:
        """How many directions without meaning, and what a reader calls them."""
        return f"{len(self.nulls[kind].change)} {TITLES[kind]}"

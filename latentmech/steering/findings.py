"""What a steering study has found: its dose-response, and the facts of the measurement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentmech.direction import Choice, Direction
from latentmech.steering.edits import EditKind
from latentmech.steering.effects import DoseResponse
from latentmech.steering.necessity import NecessityFindings
from latentmech.steering.settings import SteeringSettings
from latentmech.steering.trials import Trials


@dataclass(frozen=True, kw_only=True)
class SteeringFindings(DoseResponse):
    """Everything that the report is made of.

    Attributes:
        direction: at the place where it was used.
        rises: by block, the least rise that it was chosen by, if it was.
        selection: how the direction was chosen, if it was found here.
        necessity: whether the behaviour needs the direction, if that was asked.
    """

    direction: Direction
    trials: Trials
    settings: SteeringSettings
    kind: EditKind
    rises: Mapping[int, float] | None
    selection: Choice | None
    necessity: NecessityFindings | None
    notes: Sequence[str]
    exports: Mapping[str, Callable[[Path], object]]

    @property
    def unit(self) -> str:
        """Of the strengths."""
        return self.kind.unit or self.settings.unit

    @property
    def ends(self) -> tuple[float, ...]:
        """The strengths that the verdict looks at."""
        return tuple(strength for span in self.spans for strength in span.strengths)

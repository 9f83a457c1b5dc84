"""What a direction study has measured, before it is put into words, tables and pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentmech.data import Contrast, Duplicates
from latentmech.direction.audit import DIRECTION, FROM_MATCHED, Audit, Transfer
from latentmech.direction.candidates import Choice, DirectionCandidate, NullPlan, ShownRates
from latentmech.direction.direction import Direction
from latentmech.direction.evaluation import EMBEDDING, NULLS, READERS, LeftOut
from latentmech.direction.kept import SAID
from latentmech.direction.settings import DirectionSettings
from latentmech.direction.stability import Stability

NAMES = {DIRECTION: "direction", FROM_MATCHED: "direction from matched train texts", **READERS}
__all__ = ["EMBEDDING", "NAMES", "NULLS", "SAID", "DirectionFindings"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectionFindings:
    """Everything measured, and the facts of the measurement.

    Attributes:
        method: what it does in a line, and the works that it rests on.
        copies: test texts that train or dev has.
        plan: labels and splits of the texts, and what was left out and exchanged.
        candidates: every position, level by level.
        direction: the chosen one, with vectors at every level of its position.
        relatives: by other bundled sets, the cosine to their direction, and the most that noise would leave of 1.
        shown: whether the model shows the behaviour itself; None if nobody looked.
    """

    settings: DirectionSettings
    method: tuple[str, tuple[str, ...]]
    contrast: Contrast
    copies: Duplicates
    plan: NullPlan
    positions: tuple[str, ...]
    candidates: Sequence[DirectionCandidate]
    choice: Choice
    direction: Direction
    left_out: LeftOut
    audit: Audit
    stability: Stability
    relatives: Mapping[str, tuple[float, float]]
    transfers: Sequence[Transfer]
    shown: ShownRates | None
    exports: Mapping[str, Callable[[Path], object]]

    @property
    def best(self) -> DirectionCandidate:
        """The chosen candidate."""
        return self.candidates[self.choice.candidate]

    @property
    def sizes(self) -> dict[str, int]:
        """Texts in each split."""
        return {split: len(self.plan.parts.within(split)) for split in ("train", "dev", "test")}

    def at_position(self) -> list[DirectionCandidate]:
        """The candidates at the chosen position, in order of depth."""
        return [c for c in self.candidates if c.position == self.best.position]

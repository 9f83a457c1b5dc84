"""`DirectionFindings`: what a direction study has measured, before it is put into words, tables and pictures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentmech.data import SURFACE, Contrast, Duplicates
from latentmech.direction.audit import DIRECTION, FROM_MATCHED, Audit
from latentmech.direction.candidates import DirectionCandidate
from latentmech.direction.direction import Direction
from latentmech.direction.evaluation import EMBEDDING, NULLS, READERS, LeftOut
from latentmech.direction.relatives import Relative, Transfer
from latentmech.direction.selection import Choice, ShownRates
from latentmech.direction.stability import Stability

NAMES = {DIRECTION: "direction", FROM_MATCHED: "direction from matched train texts", **READERS}
__all__ = ["EMBEDDING", "NAMES", "NULLS", "SURFACE", "DirectionFindings"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectionFindings:
    """Everything measured, and the facts of the measurement.

    Attributes:
        called: what it is a direction of.
        method: name of the method.
        summary: what the method does, in a line.
        cites: works that it rests on.
        contrast: the texts.
        copies: test texts that train or dev has.
        sizes: texts in each split.
        train_groups: how many groups train has.
        folds: how many parts were left out in turn.
        anew: whether the place was chosen anew in each of them.
        positions: names of all positions.
        candidates: every level and position, level by level.
        choice: which of them, and how it was chosen.
        direction: the chosen one, with vectors at every level of its position.
        left_out: what it reads of groups that it has not seen, beside its rivals.
        audit: what the saved one reads on test.
        shown: whether the model shows the behaviour itself; None if nobody looked.
        halvings: how many were asked for.
        exports: what is written or sent beside the report.
    """

    called: str
    site: str
    method: str
    summary: str
    cites: tuple[str, ...]
    contrast: Contrast
    copies: Duplicates
    sizes: Mapping[str, int]
    train_groups: int
    folds: int
    anew: bool
    positions: tuple[str, ...]
    candidates: Sequence[DirectionCandidate]
    choice: Choice
    direction: Direction
    left_out: LeftOut
    audit: Audit
    stability: Stability
    halvings: int
    relatives: Sequence[Relative] = ()
    transfers: Sequence[Transfer] = ()
    shown: ShownRates | None = None
    exports: Mapping[str, Callable[[Path], object]]

    @property
    def best(self) -> DirectionCandidate:
        """The chosen candidate."""
        return self.candidates[self.choice.candidate]

    def at_position(self) -> list[DirectionCandidate]:
        """The candidates at the chosen position, in order of depth."""
        return [c for c in self.candidates if c.position == self.best.position]

    def times_chosen(self) -> Counter[str]:
        """How many folds chose each candidate, by its name."""
        return Counter(self.candidates[place].name for place in self.left_out.places)

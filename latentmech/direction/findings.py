"""`Findings`: what a direction study has measured, before it is put into words, tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latentmech.data import Contrast
from latentmech.direction.audit import Audit
from latentmech.direction.candidates import DirectionCandidate
from latentmech.direction.direction import Direction
from latentmech.direction.parts import Parts
from latentmech.direction.relatives import Relative, Transfer
from latentmech.direction.selection import Choice, ShownRates
from latentmech.direction.stability import Stability
from latentmech.statistics import aurocs


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything measured.

    Attributes:
        candidates: every level and position, level by level.
        choice: which of them, and how it was chosen.
        direction: the chosen one, with vectors at every level of its position.
        shown: whether the model shows the behaviour itself; None if nobody looked.
    """

    contrast: Contrast
    parts: Parts
    positions: tuple[str, ...]
    candidates: Sequence[DirectionCandidate]
    choice: Choice
    audit: Audit
    stability: Stability
    direction: Direction
    relatives: Sequence[Relative] = ()
    transfers: Sequence[Transfer] = ()
    shown: ShownRates | None = None

    @property
    def best(self) -> DirectionCandidate:
        """The chosen candidate."""
        return self.candidates[self.choice.candidate]

    def at_position(self) -> list[DirectionCandidate]:
        """The candidates at the chosen position, in order of depth."""
        return [c for c in self.candidates if c.position == self.best.position]

    def test_auroc(self, candidate: DirectionCandidate) -> float:
        """AUROC of any candidate on test, after the choice is made."""
        return float(aurocs(candidate.test_scores[:, None], self.parts.truth("test"))[0])

    def shuffled_max(self) -> np.ndarray:
        """Per shuffle of the training labels, the highest test AUROC that it reaches at any candidate."""
        return np.stack([c.shuffled_test for c in self.candidates]).max(0)

    def sizes(self) -> Mapping[str, int]:
        """Texts in each split."""
        return {split: len(self.parts.within(split)) for split in ("train", "dev", "test")}

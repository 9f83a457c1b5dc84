"""What a map study has measured, before it is put into words, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from latentmech.data import Examples
from latentmech.geometry.map.levels import LevelFindings
from latentmech.geometry.map.points import MapDraw, Points
from latentmech.geometry.map.settings import MapSettings
from latentmech.statistics import p_value


@dataclass(frozen=True, kw_only=True)
class MapFindings:
    """All levels, of the points that each seed drew; those of the first are shown. `task` is what colours them."""

    settings: MapSettings
    examples: Examples
    task: str
    draws: Sequence[MapDraw]
    levels: Sequence[LevelFindings]

    @property
    def shown(self) -> Points:
        """What the pictures show."""
        return self.draws[0].points

    @property
    def best(self) -> LevelFindings:
        """The level where neighbours agree most: chosen on the points that it is reported on."""
        return max(self.levels, key=lambda one: one.space["label_agreement"].value)

    @cached_property
    def chance_at_best(self) -> tuple[float, float]:
        """What shuffled labels reach at their own best level: 95th percentile, and the p-value of the true labels.

        Means over seeds would hide a draw in which there is nothing, so the p-value is the largest of any draw.
        """
        best, p95, p = self.levels.index(self.best), [], []
        for i in range(len(self.draws)):
            null = np.max([one.seen[i].agreements[1:] for one in self.levels], axis=0)
            p95.append(np.percentile(null, 95))
            p.append(p_value(float(self.levels[best].seen[i].agreements[0]), null))
        return float(np.mean(p95)), max(p)

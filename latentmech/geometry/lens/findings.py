"""What a lens study has read, and means of it over places."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from latentmech.geometry.lens.next_token import Places, Readings
from latentmech.geometry.lens.vocabulary import Cosines
from latentmech.model import Level
from latentmech.statistics import Estimate, bootstrap_mean


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that was read; `drawn` is the one text of the picture."""

    levels: tuple[Level, ...]
    places: Places
    own: Readings
    twin: Readings | None
    unigram: dict[str, Float[np.ndarray, " row"]]
    cosines: Cosines
    drawn: Places
    drawn_readings: Readings
    vocab: int


@dataclass(frozen=True)
class Means:
    """Means over places with intervals over documents."""

    findings: Findings
    draws: int

    def of(self, values: Float[np.ndarray, " row"]) -> Estimate:
        """Of one number at every place."""
        return bootstrap_mean(values, self.findings.places.clusters, self.draws)

    def levels(self, grid: Float[np.ndarray, "level row"]) -> list[Estimate]:
        """Of a number at every level and place."""
        return [self.of(row) for row in grid]

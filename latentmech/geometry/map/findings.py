"""What a map study has measured, before it is put into words, tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.geometry.map.points import Points
from latentmech.model import Level
from latentmech.statistics import Estimate

Scores = Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One map of one level.

    Attributes:
        method: `pca`, `tsne` or `umap`.
        coordinates: by seed; each aligned to the level before of the same seed.
        scores: quality and label agreement with their nulls, over seeds.
    """

    method: str
    coordinates: Sequence[Float[np.ndarray, "point axis"]]
    scores: Scores

    @property
    def n_axes(self) -> int:
        """Two or three."""
        return int(self.coordinates[0].shape[1])

    @property
    def name(self) -> str:
        """As metrics spell it: `tsne_2d`."""
        return f"{self.method}_{self.n_axes}d"


@dataclass(frozen=True, kw_only=True)
class LevelFindings:
    """Everything about one level.

    Attributes:
        space: what holds in the full space: label agreement with its null; words that coincide with another.
        clusters: (`full`, `gathered` for UMAP's few dimensions, or a flat map's name; method) -> scores.
        remoteness: of the first seed's points, in medians; `remoteness_null` is the largest of shuffled coordinates.
    """

    level: Level
    space: Scores
    layouts: Sequence[Layout]
    clusters: Mapping[tuple[str, str], Scores]
    remoteness: Float[np.ndarray, " point"]
    remoteness_null: float


@dataclass(frozen=True, kw_only=True)
class MapFindings:
    """All levels, of the points that each seed drew; those of the first are shown.

    Attributes:
        shuffled: the first draw's labels in random order, as they colour the null map.
    """

    draws: Sequence[Points]
    levels: Sequence[LevelFindings]
    shuffled: Int[np.ndarray, " point"]

    @property
    def shown(self) -> Points:
        """What the pictures show."""
        return self.draws[0]

"""What a neighbours study found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.geometry.neighbours.pools import Pool
from latentmech.geometry.neighbours.settings import NeighboursSettings


@dataclass(frozen=True)
class Neighbourhood:
    """The nearest neighbours of one pool's queries in one space; `kept` is the share that is so at the embedding."""

    pool: str
    space: str
    tick: str
    scores: Float[np.ndarray, "query k"]
    places: Int[np.ndarray, "query k"]
    kept: float


@dataclass(frozen=True, kw_only=True)
class CloudShape:
    """What one space looks like to one similarity; `never` is the share of rows that are nobody's neighbour."""

    pool: str
    space: str
    tick: str
    kind: str
    anisotropy: float
    hubness: float
    hubness_null: float
    never: float
    n: int


@dataclass(frozen=True, kw_only=True)
class NeighboursFindings:
    """Everything measured. `twin` are the clouds of the random-init twin; empty if switched off."""

    settings: NeighboursSettings
    pools: Sequence[Pool]
    neighbourhoods: Sequence[Neighbourhood]
    clouds: Sequence[CloudShape]
    twin: Sequence[CloudShape]

    def of(self, pool: str, kind: str = "") -> list[CloudShape]:
        """The clouds of one pool as one similarity (default the one that is shown) sees them, from the embedding up."""
        return [cloud for cloud in self.clouds if (cloud.pool, cloud.kind) == (pool, kind or self.settings.similarity)]

    def near(self, pool: str) -> list[Neighbourhood]:
        """The neighbourhoods of one pool, from the embedding up."""
        return [one for one in self.neighbourhoods if one.pool == pool]

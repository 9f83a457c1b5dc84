"""Would other texts have given the same direction? Halves of the training groups, each with its own vector.

With noise that falls as one over the number of texts, two directions from n texts each have cosine

    c(n) = s / (s + v / n)

so that from c at one size follows the size at which it reaches any other value (Spearman 1910, "Correlation calculated
from faulty data"). Nothing follows from a cosine of 0 or less, which has no signal in it, nor from one of 1.
"""

from dataclasses import dataclass

import numpy as np

from latentmech.direction.methods import DirectionMethod, directions_of
from latentmech.direction.sample import Parts, Rows
from latentmech.statistics import Estimate, over_seeds

WANTED = 0.9


@dataclass(frozen=True)
class Stability:
    """Mean cosine over halvings with the smallest and the largest (NaN where there are none); texts in a half."""

    cosine: Estimate
    texts: float

    @property
    def whole(self) -> float:
        """Expected cosine between the directions of two samples as large as all of train."""
        cosine = self.cosine.value
        return 2 * cosine / (1 + cosine) if cosine > 0 else cosine

    @property
    def texts_needed(self) -> float:
        """Texts (of both kinds) at which two samples would give cosine 0.9; NaN: not to be told."""
        cosine = self.cosine.value
        return self.texts * (1 / cosine - 1) / (1 / WANTED - 1) if 0 < cosine < 1 - 1e-6 else float("nan")


def stability(method: DirectionMethod, parts: Parts, rows: Rows, repeats: int, seed: int) -> Stability:
    """Halve the training groups `repeats` times; a half without one of the kinds has no direction."""
    train = parts.within("train")
    groups = np.unique(parts.group[train])
    rng = np.random.default_rng(seed)
    fits = []
    for _ in range(repeats):
        first = np.isin(parts.group[train], rng.permutation(groups)[: len(groups) // 2])
        halves = [train[first], train[~first]]
        if all(parts.have_both(half) for half in halves):
            fits += [(parts, half) for half in halves]
    vectors = directions_of(method, rows, fits)
    cosines = (vectors[::2] * vectors[1::2]).sum(1).tolist()
    return Stability(over_seeds(cosines, len(groups)), len(train) / 2)

"""Would other texts have given the same direction? Halves of the training groups, each with its own vector.

With noise that falls as one over the number of texts, two directions from n texts each have cosine

    c(n) = s / (s + v / n)

so that from c at one size follows the size at which it reaches any other value.
"""

from dataclasses import dataclass

import numpy as np

from latentmech.direction.direction import unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.parts import Parts, Rows

WANTED = 0.9


@dataclass(frozen=True)
class Stability:
    """Cosine between the directions of two random halves of the training groups.

    Attributes:
        cosine: mean over repeats.
        low: their 2.5th percentile.
        high: their 97.5th percentile.
        texts: texts in a half, on average.
        repeats: how many halvings.
    """

    cosine: float
    low: float
    high: float
    texts: float
    repeats: int

    @property
    def whole(self) -> float:
        """Expected cosine between the directions of two samples as large as all of train."""
        return _at(self.cosine, 2.0)

    @property
    def texts_needed(self) -> float:
        """Texts (both kinds together) at which two samples would give directions with cosine 0.9."""
        c = np.clip(self.cosine, 1e-6, 1 - 1e-9)
        return float(self.texts * (1 / c - 1) / (1 / WANTED - 1))


def stability(method: DirectionMethod, parts: Parts, rows: Rows, repeats: int, seed: int) -> Stability:
    """Halve the training groups `repeats` times."""
    train = parts.within("train")
    groups = np.unique(parts.group[train])
    rng = np.random.default_rng(seed)
    cosines, sizes = [], []
    for _ in range(repeats):
        first = np.isin(parts.group[train], rng.permutation(groups)[: len(groups) // 2])
        halves = [train[first], train[~first]]
        if any(len(set(parts.positive[half].tolist())) < 2 for half in halves):
            continue  # a half without one of the kinds has no direction
        vectors = [unit(method(parts.sample(rows, half))) for half in halves]
        cosines.append(float(vectors[0] @ vectors[1]))
        sizes.append(len(train) / 2)
    if not cosines:
        return Stability(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    low, high = np.percentile(cosines, [2.5, 97.5])
    return Stability(float(np.mean(cosines)), float(low), float(high), float(np.mean(sizes)), len(cosines))


def _at(cosine: float, factor: float) -> float:
    """The cosine at `factor` times as many texts."""
    return factor * cosine / (1 + (factor - 1) * cosine) if cosine > 0 else cosine

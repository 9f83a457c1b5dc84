"""`Tally`: a score as a function of how often each group counts.

Words of one document are alike, so they are never resampled one by one: a group counts as a whole, none, once or
several times (Davison & Hinkley 1997, section 3.8). Every score here needs no more than sums per group, so a bootstrap
draw and a group left out are both one product with a row of weights:

    mean               w . sums / w . sizes
    F1                 w . 2 hits / w . (answered positive + truly positive)
    balanced accuracy  mean over classes c of  w . hits_c / w . sizes_c
    AUROC              w' W w / (w . positives)(w . negatives),   W_gh = wins of g's positives over h's negatives
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

Rows = Float[np.ndarray, " row"]
Flags = Bool[np.ndarray, " row"]
Weights = Float[np.ndarray, "draw group"]
Values = Float[np.ndarray, " draw"]
Clusters = Int[np.ndarray, " row"]


@dataclass(frozen=True)
class Tally:
    """One answerer's score on some rows.

    Attributes:
        by: the score for every row of group weights; NaN where it is not defined.
        worst: the lowest score there can be; minus infinity for what has no bounds.
        top: the highest.
    """

    by: Callable[[Weights], Values]
    n: int
    groups: int
    worst: float | int = 0.0
    top: float | int = 1.0

    @property
    def value(self) -> float:
        """The score when every group counts once."""
        return float(self.by(np.ones((1, self.groups)))[0])

    def without_each(self) -> Values:
        """The score with each group left out."""
        return self.by(1 - np.eye(self.groups))

    def draws(self, n_draws: int, seed: int) -> Values:
        """The score under bootstrap draws of groups; the same draws for the same groups and seed."""
        return self.by(cluster_draws(self.groups, n_draws, seed))


@lru_cache(maxsize=4)
def cluster_draws(groups: int, n_draws: int, seed: int) -> Float[np.ndarray, "draw group"]:
    """How often each group is drawn in each bootstrap resample; read only, for the next score has the same."""
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=n_draws).astype(float)
    drawn.flags.writeable = False
    return drawn


def ratio_of(
    tops: Rows, bottoms: Rows, clusters: Clusters, worst: float | int = -np.inf, top: float | int = np.inf
) -> Tally:
    """Sum of `tops` over sum of `bottoms`, where that is not 0."""
    over, under = np.bincount(clusters, tops), np.bincount(clusters, bottoms)
    return Tally(lambda w: _divided(w @ over, w @ under), len(clusters), len(under), worst, top)


def mean_of(values: Rows, clusters: Clusters, worst: float | int = -np.inf, top: float | int = np.inf) -> Tally:
    """Mean over rows, such as of right answers (then with bounds 0 and 1)."""
    return ratio_of(values, np.ones(len(clusters)), clusters, worst, top)


def f1_of(predicted: Flags, positive: Flags, clusters: Clusters) -> Tally:
    """F1 of the positive class; 0 where nothing is answered or truly positive."""
    hits, either = 2.0 * (predicted & positive), 1.0 * predicted + positive
    over, under = np.bincount(clusters, hits), np.bincount(clusters, either)
    return Tally(lambda w: (w @ over) / np.maximum(w @ under, 1), len(clusters), len(under))


def balanced_accuracy_of(
    predicted: Int[np.ndarray, " row"], labels: Int[np.ndarray, " row"], clusters: Clusters
) -> Tally:
    """Mean over the classes that there are of the share of their rows that is answered right; chance is one over them.

    Under weights that leave a class without rows, over the others.
    """
    kinds = np.unique(labels)
    hits = np.stack([np.bincount(clusters, (predicted == c) & (labels == c)) for c in kinds], axis=1)
    sizes = np.stack([np.bincount(clusters, labels == c) for c in kinds], axis=1)
    return Tally(lambda w: np.nanmean(_divided(w @ hits, w @ sizes), axis=1), len(clusters), len(sizes))


def auroc_of(scores: Rows, positive: Flags, clusters: Clusters) -> Tally:
    """AUROC, pairs across groups included, ties counting half."""
    n = int(clusters.max()) + 1
    above, whose = scores[positive], clusters[positive]
    wins = np.zeros((n, n))
    for group in np.unique(clusters[~positive]):
        below = np.sort(scores[~positive & (clusters == group)])
        beaten = (np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")) / 2
        wins[:, group] = np.bincount(whose, beaten, minlength=n)
    highs, lows = np.bincount(whose, minlength=n), np.bincount(clusters[~positive], minlength=n)
    return Tally(lambda w: _divided(((w @ wins) * w).sum(1), (w @ highs) * (w @ lows)), len(clusters), n)


def _divided(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """NaN where there is nothing to divide by."""
    return np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under != 0)

"""Several answerers on the same rows, under the same bootstrap draws of documents.

Accuracy and F1 are both a ratio of sums over rows,

    accuracy = sum right / sum 1          F1 = sum 2 hits / sum (answered positive + truly positive)

so a draw of documents is a weighted sum over document totals. Because every answerer is scored under the same draws,
differences between them have intervals of their own, and the best of many levels has a set of levels not worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.statistics import Estimate, cluster_draws


@dataclass(frozen=True)
class Resampled:
    """Scores of some answerers.

    Attributes:
        values: on all rows.
        draws: under each bootstrap draw.
        n: rows.
        groups: documents; with a single one there is nothing to draw, and intervals are NaN.
    """

    values: Float[np.ndarray, " answerer"]
    draws: Float[np.ndarray, "draw answerer"]
    n: int
    groups: int

    def estimate(self, index: int) -> Estimate:
        """One answerer's score with its 95 % interval."""
        return self._with_interval(self.values[index], self.draws[:, index])

    def difference(self, index: int, other: int) -> Estimate:
        """How much better one is than another, paired."""
        gap = self.values[index] - self.values[other]
        return self._with_interval(gap, self.draws[:, index] - self.draws[:, other])

    def not_worse(self, best: int, among: Sequence[int]) -> list[int]:
        """Those whose paired loss against `best` has a one-sided 95 % bound at or below zero."""
        loss = self.draws[:, [best]] - self.draws
        low = np.percentile(loss, 5, axis=0)
        return [i for i in among if i == best or low[i] <= 0]

    def _with_interval(self, value: float, draws: Float[np.ndarray, " draw"]) -> Estimate:
        low, high = np.percentile(draws, [2.5, 97.5]) if self.groups > 1 else (np.nan, np.nan)
        return Estimate(float(value), float(low), float(high), self.n)


def resampled(
    answers: Sequence[Int[np.ndarray, " row"]],
    labels: Int[np.ndarray, " row"],
    clusters: Int[np.ndarray, " row"],
    metric: str,
    n_draws: int,
    seed: int = 0,
) -> Resampled:
    """Score every answerer.

    Args:
        answers: class numbers that each gives.
        clusters: each row's document, numbered from 0.
        metric: `accuracy`, or `f1` of class 1.
    """
    draws = cluster_draws(int(clusters.max()) + 1, n_draws, seed)
    scores = [_ratio(a, labels, clusters, metric) for a in answers]
    tops, bottoms = np.stack([s[0] for s in scores], 1), np.stack([s[1] for s in scores], 1)
    values = tops.sum(0) / np.maximum(bottoms.sum(0), 1)
    return Resampled(values, (draws @ tops) / np.maximum(draws @ bottoms, 1), len(labels), int(clusters.max()) + 1)


def _ratio(
    answers: Int[np.ndarray, " row"], labels: Int[np.ndarray, " row"], clusters: Int[np.ndarray, " row"], metric: str
) -> tuple[Float[np.ndarray, " cluster"], Float[np.ndarray, " cluster"]]:
    """Numerator and denominator by document."""
    if metric == "accuracy":
        return np.bincount(clusters, answers == labels), np.bincount(clusters).astype(float)
    answered, truly = answers == 1, labels == 1
    return np.bincount(clusters, 2.0 * (answered & truly)), np.bincount(clusters, 1.0 * answered + truly)

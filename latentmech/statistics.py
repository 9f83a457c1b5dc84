"""What a number is worth: AUROC with ties, F1, intervals and paired comparisons that respect clusters.

Words of one document are alike, so they are never resampled one by one: whole documents are drawn
(Davison & Hinkley 1997, section 3.8). On treebanks this widens intervals by a factor of about two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Weighted = Callable[[Float[np.ndarray, " row"]], float]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and the count of rows behind it."""

    value: float
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    n: int = 0


def auroc(
    scores: Float[np.ndarray, " row"],
    positive: Bool[np.ndarray, " row"],
    weights: Float[np.ndarray, " row"] | None = None,
) -> float:
    """Probability that a positive row scores above a negative one, ties counting half; NaN without both kinds.

    Args:
        weights: how often each row counts (a bootstrap draw); default once.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    _, level = np.unique(scores, return_inverse=True)
    above = np.bincount(level, weights * positive)
    below = np.bincount(level, weights * ~positive)
    pairs = above.sum() * below.sum()
    wins = above @ (np.cumsum(below) - below / 2)
    return float(wins / pairs) if pairs else float("nan")


def f1(
    predicted: Bool[np.ndarray, " row"],
    positive: Bool[np.ndarray, " row"],
    weights: Float[np.ndarray, " row"] | None = None,
) -> float:
    """Harmonic mean of precision and recall of the positive class; 0 where nothing is hit."""
    weights = np.ones(len(predicted)) if weights is None else weights
    hits = weights @ (predicted & positive)
    either = weights @ predicted + weights @ positive
    return float(2 * hits / either) if either else 0.0


def cluster_draws(clusters: Int[np.ndarray, " row"], n_draws: int, seed: int) -> Float[np.ndarray, "draw cluster"]:
    """How often each cluster is drawn in each bootstrap resample."""
    n = int(clusters.max()) + 1
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_draws).astype(float)


def bootstrap_mean(
    values: Float[np.ndarray, " row"], clusters: Int[np.ndarray, " row"], n_draws: int = 1000, seed: int = 0
) -> Estimate:
    """Mean of `values` with a percentile interval over resampled clusters (numbered from 0)."""
    sums = np.bincount(clusters, values)
    sizes = np.bincount(clusters)
    draws = cluster_draws(clusters, n_draws, seed)
    low, high = np.percentile((draws @ sums) / np.maximum(draws @ sizes, 1), [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


def bootstrap_means(
    values: Float[np.ndarray, "metric row"], clusters: Int[np.ndarray, " row"], n_draws: int = 1000, seed: int = 0
) -> list[Estimate]:
    """`bootstrap_mean` of many metrics of the same rows, with the same draws for all."""
    sums = np.stack([np.bincount(clusters, row) for row in values], axis=1)
    draws = cluster_draws(clusters, n_draws, seed)
    means = (draws @ sums) / np.maximum(draws @ np.bincount(clusters), 1)[:, None]
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [
        Estimate(float(row.mean()), float(begin), float(end), len(row))
        for row, begin, end in zip(values, low, high, strict=True)
    ]


def bootstrap(statistic: Weighted, clusters: Int[np.ndarray, " row"], n_draws: int = 1000, seed: int = 0) -> Estimate:
    """Any statistic of row weights, with a percentile interval over resampled clusters."""
    draws = cluster_draws(clusters, n_draws, seed)
    values = np.array([statistic(draw[clusters]) for draw in draws])
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Estimate(statistic(np.ones(len(clusters))), float(low), float(high), len(clusters))


def not_worse_than_best(
    scores: Float[np.ndarray, "candidate row"], clusters: Int[np.ndarray, " row"], n_draws: int = 1000, seed: int = 0
) -> list[int]:
    """Candidates whose paired loss against the best one has a one-sided 95 % bound at or below zero.

    Args:
        scores: each candidate's score on the same rows, such as 1 for a right answer.

    Returns:
        Their indices, the best one among them. Membership means "not shown to be worse", not "equal".
    """
    best = int(scores.mean(1).argmax())
    loss = scores[best] - scores
    sums = np.stack([np.bincount(clusters, row) for row in loss])
    draws = cluster_draws(clusters, n_draws, seed)
    low = np.percentile(draws @ sums.T, 5, axis=0)
    return [i for i in range(len(scores)) if low[i] <= 0 or i == best]


def aurocs(
    scores: Float[np.ndarray, "row candidate"], positive: Bool[np.ndarray, " row"]
) -> Float[np.ndarray, " candidate"]:
    """`auroc` of many scores of the same rows at once."""
    above, below = scores[positive].T, np.sort(scores[~positive], axis=0).T
    wins = [
        np.searchsorted(column, values, "left").sum() + np.searchsorted(column, values, "right").sum()
        for column, values in zip(below, above, strict=True)
    ]
    return np.array(wins) / (2 * positive.sum() * (~positive).sum())


def folded(auroc: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """AUROC whichever sign is taken: what a direction without orientation can claim."""
    return np.maximum(auroc, 1 - auroc)

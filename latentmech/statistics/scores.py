"""Scores of a whole set of rows: AUROC with ties, F1."""

import numpy as np
from jaxtyping import Bool, Float

Rows = Float[np.ndarray, " row"]
Flags = Bool[np.ndarray, " row"]


def auroc(scores: Rows, positive: Flags, weights: Rows | None = None) -> float:
    """Probability that a positive row scores above a negative one, ties counting half; NaN without both kinds.

    Args:
        weights: how often each row counts; default once.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    _, level = np.unique(scores, return_inverse=True)
    above = np.bincount(level, weights * positive)
    below = np.bincount(level, weights * ~positive)
    pairs = above.sum() * below.sum()
    wins = above @ (np.cumsum(below) - below / 2)
    return float(wins / pairs) if pairs else float("nan")


def aurocs(scores: Float[np.ndarray, "row candidate"], positive: Flags) -> Float[np.ndarray, " candidate"]:
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


def f1(predicted: Flags, positive: Flags, weights: Rows | None = None) -> float:
    """Harmonic mean of precision and recall of the positive class; 0 where nothing is hit."""
    weights = np.ones(len(predicted)) if weights is None else weights
    hits = weights @ (predicted & positive)
    either = weights @ predicted + weights @ positive
    return float(2 * hits / either) if either else 0.0

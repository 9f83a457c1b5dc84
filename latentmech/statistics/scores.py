"""Scores of a whole set of rows, each counted once."""

import numpy as np
from jaxtyping import Float

from latentmech.statistics.tally import Flags, Rows, auroc_of, f1_of


def auroc(scores: Rows, positive: Flags) -> float:
    """Probability that a positive row scores above a negative one, ties counting half; NaN without both kinds."""
    return auroc_of(scores, positive, np.zeros(len(scores), dtype=np.int64)).value if len(scores) else float("nan")


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


def f1(predicted: Flags, positive: Flags) -> float:
    """Harmonic mean of precision and recall of the positive class; 0 where nothing is hit."""
    return f1_of(predicted, positive, np.zeros(len(predicted), dtype=np.int64)).value

"""Labels exchanged as they were given: what is left when text and label no longer belong together.

A permutation test holds if labels are exchanged by the unit that was labelled, in train, dev and test together, and all
that follows (the method, the choice of a level) is done again. Members of a pair swap; where all rows of a group have
one label, groups exchange theirs; else rows do. With N exchanges the p-value is

    p = (1 + exchanges that reach the score) / (1 + N)

(Phipson & Smyth 2010, "Permutation p-values should never be zero").
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def exchanged(
    positive: Bool[np.ndarray, " row"],
    clusters: Int[np.ndarray, " row"],
    pairs: Int[np.ndarray, "pair 2"],
    rng: np.random.Generator,
) -> Bool[np.ndarray, " row"]:
    """The labels, exchanged once.

    Args:
        clusters: each row's group, numbered from 0.
        pairs: rows of the two members of each pair; none where rows are not paired.
    """
    if len(pairs):
        swapped = positive.copy()
        some = pairs[rng.random(len(pairs)) < 0.5]
        swapped[some] = positive[some[:, ::-1]]
        return swapped
    sizes, hits = np.bincount(clusters), np.bincount(clusters, positive)
    if ((hits == 0) | (hits == sizes)).all() and len(sizes) > 1:
        return rng.permutation(hits > 0)[clusters]
    return rng.permutation(positive)


def p_value(seen: float, null: Float[np.ndarray, " exchange"]) -> float:
    """Of a score that is large when there is something; 1 where nothing was exchanged."""
    return float((1 + (null >= seen).sum()) / (1 + len(null)))

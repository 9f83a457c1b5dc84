"""How far a map can be believed, point by point: who is near in it, and who is near in the space.

With r(i, j) the rank of j among the neighbours of i in the space and r'(i, j) in the map, of n points:
trustworthiness  1 − 2/(nk(2n−3k−1)) Σ_i Σ_{j: r'≤k<r} (r(i, j) − k): are neighbours in the map true neighbours?
continuity       the same with r and r' exchanged: are true neighbours still together in the map?
                 (Venna & Kaski 2001, "Neighborhood preservation in nonlinear projection methods")
neighbour recall the share of the k true nearest that are among the k nearest in the map.

A map of the right points in random places has trustworthiness and continuity near 0.5 and recall k/(n−1), so 0.9 is
less than it sounds; the null stands beside each number. None of the three sees distances between groups.
"""

import numpy as np
from jaxtyping import Float, Int

Ranks = Int[np.ndarray, "point point"]


def ranks(points: Float[np.ndarray, "point axis"]) -> Ranks:
    """Row i: the rank of every point among the neighbours of i by Euclidean distance; i itself has rank 0."""
    from sklearn.metrics import pairwise_distances

    distance = pairwise_distances(points)
    np.fill_diagonal(distance, -1.0)
    order = distance.argsort(1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(points))[None, :], 1)
    return rank


def trustworthiness(space: Ranks, shown: Ranks, k: int) -> float:
    """Of the map `shown`; with the arguments exchanged it is continuity. Needs k < n/2."""
    n = len(space)
    near = (shown > 0) & (shown <= k)
    penalty = np.maximum(space[near] - k, 0).sum()
    return float(1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1)))


def neighbour_recall(space: Ranks, shown: Ranks, k: int) -> float:
    """Share of the k true nearest neighbours that are kept."""
    both = (space > 0) & (space <= k) & (shown > 0) & (shown <= k)
    return float(both.sum() / (len(space) * k))


def qualities(space: Ranks, shown: Ranks, k: int) -> dict[str, float]:
    """All three."""
    return {
        "trustworthiness": trustworthiness(space, shown, k),
        "continuity": trustworthiness(shown, space, k),
        "neighbour_recall": neighbour_recall(space, shown, k),
    }


def misplaced(shown: Ranks, seed: int) -> Ranks:
    """The same map with every point in the place of another: the null of all three."""
    order = np.random.default_rng(seed).permutation(len(shown))
    return shown[order][:, order]

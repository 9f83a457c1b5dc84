"""How far a map can be believed, point by point: who is near in it, and who is near in the space.

With r(i, j) the rank of j among the neighbours of i in the space and r'(i, j) in the map, of n points:
trustworthiness  1 − 2/(nk(2n−3k−1)) Σ_i Σ_{j: r'≤k<r} (r(i, j) − k): are neighbours in the map true neighbours?
continuity       the same with r and r' exchanged: are true neighbours still together in the map?
                 (Venna & Kaski 2001, "Neighborhood preservation in nonlinear projection methods")
neighbour recall the share of the k true nearest that are among the k nearest in the map.
label agreement  the mean share of each point's k nearest that carry its own label: what an eye sees as colour.

A map of the right points in random places has trustworthiness and continuity near 0.5 and recall k/(n−1), so 0.9 is
less than it sounds; the null stands beside each number. None of the three sees distances between groups. Agreement
with shuffled labels is about Σ p² (p the class shares), and never quite: a few large classes look like structure. It
does not say that labels are clusters: a smooth gradient gives high agreement as well.
"""

import numpy as np
from einops import rearrange
from jaxtyping import Float, Int

NeighbourRanks = Int[np.ndarray, "point point"]
Labels = Int[np.ndarray, " point"]


def ranks(points: Float[np.ndarray, "point axis"]) -> NeighbourRanks:
    """Row i: the rank of every point among the neighbours of i by Euclidean distance; i itself has rank 0."""
    from sklearn.metrics import pairwise_distances

    distance = pairwise_distances(points)
    np.fill_diagonal(distance, -1.0)
    order = distance.argsort(1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(points))[None, :], 1)
    return rank


def trustworthiness(space: NeighbourRanks, shown: NeighbourRanks, k: int) -> float:
    """Of the map `shown`; with the arguments exchanged it is continuity. Needs k < n/2."""
    n = len(space)
    near = (shown > 0) & (shown <= k)
    penalty = np.maximum(space[near] - k, 0).sum()
    return float(1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1)))


def neighbour_recall(space: NeighbourRanks, shown: NeighbourRanks, k: int) -> float:
    """Share of the k true nearest neighbours that are kept."""
    both = (space > 0) & (space <= k) & (shown > 0) & (shown <= k)
    return float(both.sum() / (len(space) * k))


def qualities(space: NeighbourRanks, shown: NeighbourRanks, k: int) -> dict[str, float]:
    """All three of a map."""
    return {
        "trustworthiness": trustworthiness(space, shown, k),
        "continuity": trustworthiness(shown, space, k),
        "neighbour_recall": neighbour_recall(space, shown, k),
    }


def misplaced(shown: NeighbourRanks, seed: int) -> NeighbourRanks:
    """The same map with every point in the place of another: the null of all three."""
    order = np.random.default_rng(seed).permutation(len(shown))
    return shown[order][:, order]


def agreements(
    rank: NeighbourRanks, labellings: Int[np.ndarray, "labelling point"], k: int
) -> Float[np.ndarray, " labelling"]:
    """Label agreement under each labelling of the same points."""
    nearest = rearrange(np.nonzero((rank > 0) & (rank <= k))[1], "(point k) -> point k", k=k)
    return np.array([(labels[nearest] == labels[:, None]).mean() for labels in labellings])


def with_null(agreement: Float[np.ndarray, " labelling"]) -> dict[str, float]:
    """Label agreement as it is reported, that of the first labelling: beside mean and 95th percentile of the others."""
    null = agreement[1:]
    return {
        "label_agreement": float(agreement[0]),
        "label_agreement_shuffled": float(null.mean()),
        "label_agreement_shuffled_p95": float(np.percentile(null, 95)),
    }

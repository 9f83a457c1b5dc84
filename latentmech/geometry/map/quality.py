"""How far a map can be believed, point by point, how far it moved since the level before, and which points lie apart.

Who is near in it, and who is near in the space:

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

A map may be rotated and mirrored at will. The orthogonal Procrustes problem (Schönemann 1966) finds the rotation or
reflection R that brings the centred coordinates A nearest to B: with A'B = USV', R = UV'. What no rotation and no
scale explains is the disparity 1 − (Σ s)² / (‖A‖² ‖B‖²) (Gower 1975): 0 for one shape twice, 1 for unrelated ones.
A small disparity says that the map stayed, not that the space did: t-SNE and UMAP also move by themselves.

Outliers are points far from all others: mean distance to the k nearest neighbours (Angiulli & Pizzuti 2002), in units
of the median point's, so that levels can be compared. High-dimensional noise has outliers too: the most distant point
of the same rows with every coordinate shuffled by itself says how far is far. What is listed may be a rare word, an odd
tokenisation, or a wrong label; the measure does not tell which.
"""

import numpy as np
from einops import rearrange
from jaxtyping import Float, Int

Ranks = Int[np.ndarray, "point point"]
Coordinates = Float[np.ndarray, "point axis"]


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
    """All three of a map."""
    return {
        "trustworthiness": trustworthiness(space, shown, k),
        "continuity": trustworthiness(shown, space, k),
        "neighbour_recall": neighbour_recall(space, shown, k),
    }


def misplaced(shown: Ranks, seed: int) -> Ranks:
    """The same map with every point in the place of another: the null of all three."""
    order = np.random.default_rng(seed).permutation(len(shown))
    return shown[order][:, order]


def agreements(rank: Ranks, labellings: Int[np.ndarray, "labelling point"], k: int) -> Float[np.ndarray, " labelling"]:
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


def aligned(coordinates: Coordinates, reference: Coordinates) -> Coordinates:
    """The coordinates, centred and turned towards the reference; their scale stays their own."""
    from scipy.linalg import orthogonal_procrustes

    centred = coordinates - coordinates.mean(0)
    return centred @ orthogonal_procrustes(centred, reference - reference.mean(0))[0]


def disparity(coordinates: Coordinates, reference: Coordinates) -> float:
    """What rotation, reflection and scale leave unexplained, from 0 to 1; NaN where all points of a map coincide."""
    from scipy.spatial import procrustes

    if not (np.ptp(coordinates, axis=0).any() and np.ptp(reference, axis=0).any()):
        return float("nan")
    return float(procrustes(reference, coordinates)[2])


def remoteness(rows: Float[np.ndarray, "point d_model"], k: int) -> Float[np.ndarray, " point"]:
    """Mean distance to the k nearest others, as a multiple of the median over the points."""
    from sklearn.neighbors import NearestNeighbors

    distance, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors()
    mean = distance.mean(1)
    return mean / max(float(np.median(mean)), np.finfo(float).tiny)

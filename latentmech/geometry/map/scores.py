"""The numbers of one draw at one level: of its maps, its clusters and its full space, each with its null."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float, Int

from latentmech.geometry.map import clusters
from latentmech.geometry.map.alignment import disparity
from latentmech.geometry.map.label_agreement import agreement, shuffled_agreement
from latentmech.geometry.map.quality import Ranks, misplaced, qualities, ranks

Rows = Float[np.ndarray, "point axis"]
Labels = Int[np.ndarray, " point"]


def space_scores(rank: Ranks, labels: Labels, k: int, draws: int, seed: int) -> dict[str, float]:
    """Label agreement among neighbours, and what shuffled labels give: mean and 95th percentile."""
    null = shuffled_agreement(rank, labels, k, draws, seed)
    return {
        "label_agreement": agreement(rank, labels, k),
        "label_agreement_shuffled": float(null.mean()),
        "label_agreement_shuffled_p95": float(np.percentile(null, 95)),
    }


def layout_scores(
    space: Ranks, coordinates: Rows, before: Rows | None, labels: Labels, k: int, draws: int, seed: int
) -> dict[str, float]:
    """Quality of a map against its space, label agreement in it, and how far it moved since the level before."""
    shown = ranks(coordinates)
    found = qualities(space, shown, k) | space_scores(shown, labels, k, draws, seed)
    found |= {f"{name}_null": value for name, value in qualities(space, misplaced(shown, seed), k).items()}
    if before is not None:
        mixed = np.random.default_rng(seed).permutation(coordinates)
        found |= {"moved": disparity(coordinates, before), "moved_null": disparity(mixed, before)}
    return found


def cluster_scores(
    rows: Rows, null: Rows, labels: Labels, min_cluster_size: int, draws: int, seed: int
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """For each method, its clusters, and their silhouette and agreement with the labels beside the nulls.

    Args:
        null: rows without structure that have come the same way.
    """
    n_classes = len(np.unique(labels))
    methods = {
        "kmeans": lambda own: clusters.kmeans(own, n_classes, seed),
        "hdbscan": lambda own: clusters.hdbscan(own, min_cluster_size),
    }
    for name, method in methods.items():
        partition, by_chance = method(rows), _shape(null, method(null))
        nulls = {f"{metric}_null": value for metric, value in by_chance.items()}
        yield name, _shape(rows, partition) | nulls | clusters.label_match(partition, labels, draws, seed)


def _shape(rows: Rows, partition: Labels) -> dict[str, float]:
    return {
        "n_clusters": float(len(set(partition.tolist()) - {clusters.NOISE})),
        "noise": float((partition == clusters.NOISE).mean()),
        "silhouette": clusters.silhouette(rows, partition),
    }

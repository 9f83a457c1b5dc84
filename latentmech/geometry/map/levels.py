"""One level of a map study: its maps for every seed, its clusters, its outliers, each number beside its null."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from latentmech.geometry.clusters import NOISE, Partition, hdbscan, kmeans, label_match, silhouette
from latentmech.geometry.map.points import MapDraw
from latentmech.geometry.map.projection import Coordinates, Projection, Rows, gathered
from latentmech.geometry.map.quality import (
    Ranks,
    agreements,
    aligned,
    disparity,
    misplaced,
    qualities,
    ranks,
    remoteness,
    with_null,
)
from latentmech.geometry.map.settings import MapSettings
from latentmech.geometry.rows import coordinates_shuffled
from latentmech.model import Level
from latentmech.statistics import Estimate, over_seeds

Projections = Mapping[str, tuple[Projection, int]]  # by names such as `tsne_2d`, with the number of axes
Scores = Mapping[str, Estimate]
Labellings = Int[np.ndarray, "labelling point"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One map of one level.

    Attributes:
        name: as metrics spell it: `tsne_2d`.
        coordinates: by seed; each aligned to the level before of the same seed.
        scores: quality and label agreement with their nulls, over seeds.
    """

    name: str
    coordinates: Sequence[Coordinates]
    scores: Scores


@dataclass(frozen=True, kw_only=True)
class LevelFindings:
    """Everything about one level.

    Attributes:
        space: label agreement in the full space with its null.
        agreements: by seed: label agreement in the full space under the true labels, then under each shuffle of them.
        clusters: (`full`, `gathered` for UMAP's few dimensions, or a flat map's name; method) -> scores.
        remoteness: of the first seed's points, in medians; `remoteness_null` is the largest of shuffled coordinates.
    """

    level: Level
    space: Scores
    agreements: Sequence[Float[np.ndarray, " labelling"]]
    layouts: Sequence[Layout]
    clusters: Mapping[tuple[str, str], Scores]
    remoteness: Float[np.ndarray, " point"]
    remoteness_null: float


@dataclass(frozen=True)
class Seen:
    """One level as one seed draws it: its maps and their scores by name, and the scores of its clusters."""

    agreements: Float[np.ndarray, " labelling"]
    maps: Mapping[str, Coordinates]
    scores: Mapping[str, Mapping[str, float]]
    clusters: Mapping[tuple[str, str], Mapping[str, float]]


def level_findings(
    settings: MapSettings, projections: Projections, level: Level, spaces: Sequence[Rows], draws: Sequence[MapDraw],
    before: LevelFindings | None,
) -> LevelFindings:  # fmt: skip
    """Everything about one level.

    Args:
        spaces: its rows, one set for each seed.
        draws: the points of each seed.
        before: the level below, towards which maps are turned.
    """
    below = [{one.name: one.coordinates[i] for one in before.layouts} if before else {} for i in range(len(draws))]
    seen = [_seen(settings, projections, *one) for one in zip(spaces, draws, below, strict=True)]
    k, null = settings.neighbours, coordinates_shuffled(spaces[0], draws[0].seed)
    return LevelFindings(
        level=level, space=ranges([with_null(one.agreements) for one in seen]),
        agreements=[one.agreements for one in seen],
        layouts=[
            Layout(name=of, coordinates=[one.maps[of] for one in seen], scores=ranges([one.scores[of] for one in seen]))
            for of in projections
        ],
        clusters={of: ranges([one.clusters[of] for one in seen]) for of in seen[0].clusters},
        remoteness=remoteness(spaces[0], k), remoteness_null=float(remoteness(null, k).max()),
    )  # fmt: skip


def ranges(scores: Sequence[Mapping[str, float]]) -> Scores:
    """Every score over the seeds."""
    return {name: over_seeds(score[name] for score in scores) for name in scores[0]}


def _seen(
    settings: MapSettings, projections: Projections, space: Rows, draw: MapDraw, below: Mapping[str, Coordinates]
) -> Seen:
    """The level of one seed: each map turned towards that of the level below, and measured."""
    k, seed, rank = settings.neighbours, draw.seed, ranks(space)
    maps, scores = {}, {}
    for name, (project, n_axes) in projections.items():
        flat, last = project(space, n_axes, seed), below.get(name)
        maps[name] = flat if last is None else aligned(flat, last)
        scores[name] = layout_scores(rank, maps[name], last, draw.labellings, k, seed)
    null = coordinates_shuffled(space, seed)
    clouds = {"full": (space, null)}
    if n := settings.cluster_axes:
        clouds["gathered"] = (gathered(space, n, seed), gathered(null, n, seed))
    clouds |= {of: (rows, coordinates_shuffled(rows, seed)) for of, rows in maps.items() if rows.shape[1] == 2}
    clusters = {
        (where, method): found
        for where, cloud in clouds.items()
        for method, found in cluster_scores(*cloud, draw.labellings, settings.min_cluster_size, seed)
    }
    return Seen(agreements(rank, draw.labellings, k), maps, scores, clusters)


def layout_scores(
    space: Ranks, coordinates: Coordinates, before: Coordinates | None, labellings: Labellings, k: int, seed: int
) -> dict[str, float]:
    """Quality of a map against its space, label agreement in it, and how far it moved since the level before."""
    shown = ranks(coordinates)
    found = qualities(space, shown, k) | with_null(agreements(shown, labellings, k))
    found |= {f"{name}_null": value for name, value in qualities(space, misplaced(shown, seed), k).items()}
    if before is not None:
        mixed = np.random.default_rng(seed).permutation(coordinates)
        found |= {"moved": disparity(coordinates, before), "moved_null": disparity(mixed, before)}
    return found


def cluster_scores(
    rows: Rows, null: Rows, labellings: Labellings, min_cluster_size: int, seed: int
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """For each method, its clusters, and their silhouette and agreement with the labels beside the nulls.

    Args:
        null: rows without structure that have come the same way.
    """
    n_classes = len(np.unique(labellings[0]))
    methods = {"kmeans": partial(kmeans, n_clusters=n_classes, seed=seed)}
    methods |= {"hdbscan": partial(hdbscan, min_cluster_size=min_cluster_size)}
    for name, method in methods.items():
        partition, by_chance = method(rows), _shape(null, method(null))
        nulls = {f"{metric}_null": value for metric, value in by_chance.items()}
        yield name, _shape(rows, partition) | nulls | label_match(partition, labellings)


def _shape(rows: Rows, partition: Partition) -> dict[str, float]:
    return {
        "n_clusters": float(len(set(partition.tolist()) - {NOISE})),
        "noise": float((partition == NOISE).mean()),
        "silhouette": silhouette(rows, partition),
    }

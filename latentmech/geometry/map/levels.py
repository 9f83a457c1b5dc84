"""One level of a map study: its maps for every seed, its clusters, its outliers, each number beside its null."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.geometry.clusters import NOISE, hdbscan, kmeans, label_match, silhouette
from latentmech.geometry.map.alignment import aligned, disparity
from latentmech.geometry.map.outliers import remoteness
from latentmech.geometry.map.points import MapDraw
from latentmech.geometry.map.projection import Projection, gathered
from latentmech.geometry.map.quality import NeighbourRanks, agreements, misplaced, qualities, ranks, with_null
from latentmech.geometry.scaling import coordinates_shuffled
from latentmech.model import Level
from latentmech.statistics import Estimate, over_seeds

Rows = Float[np.ndarray, "point d_model"]
Coordinates = Float[np.ndarray, "point axis"]
Cloud = Rows | Coordinates
Labels = Int[np.ndarray, " point"]
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
    coordinates: Sequence[Float[np.ndarray, "point axis"]]
    scores: Scores

    @property
    def n_axes(self) -> int:
        """Two or three."""
        return int(self.coordinates[0].shape[1])


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


@dataclass(frozen=True, kw_only=True)
class MapRules:
    """How a level is looked at.

    Attributes:
        projections: by names such as `tsne_2d`, with the number of axes.
        k: neighbours.
        cluster_axes: dimensions to which UMAP brings the space before it is clustered once more; 0 leaves that out.
        min_cluster_size: of HDBSCAN.
    """

    projections: Mapping[str, tuple[Projection, int]]
    k: int
    cluster_axes: int
    min_cluster_size: int


def level_findings(
    rules: MapRules, level: Level, spaces: Sequence[Rows], draws: Sequence[MapDraw], before: LevelFindings | None
) -> LevelFindings:
    """Everything about one level.

    Args:
        spaces: its rows, one set for each seed.
        draws: the points of each seed.
        before: the level below, towards which maps are turned.
    """
    rank = [ranks(space) for space in spaces]
    alike = [agreements(own, draw.labellings, rules.k) for own, draw in zip(rank, draws, strict=True)]
    places = {one.name: one.coordinates for one in before.layouts} if before else {}
    layouts = [
        _layout(name, kind, spaces, rank, draws, places.get(name), rules.k) for name, kind in rules.projections.items()
    ]
    null = coordinates_shuffled(spaces[0], draws[0].seed)
    return LevelFindings(
        level=level, space=ranges([with_null(one) for one in alike]), agreements=alike, layouts=layouts,
        clusters=dict(_clusters(rules, dict(_clouds(rules.cluster_axes, spaces, layouts, draws)), draws)),
        remoteness=remoteness(spaces[0], rules.k), remoteness_null=float(remoteness(null, rules.k).max()),
    )  # fmt: skip


def ranges(scores: Sequence[Mapping[str, float]]) -> Scores:
    """Every score over the seeds."""
    return {name: over_seeds(score[name] for score in scores) for name in scores[0]}


def _layout(
    name: str,
    kind: tuple[Projection, int],
    spaces: Sequence[Rows],
    rank: Sequence[NeighbourRanks],
    draws: Sequence[MapDraw],
    before: Sequence[Coordinates] | None,
    k: int,
) -> Layout:
    """One kind of map for every seed; turned towards the level before, and measured."""
    coordinates, scores = [], []
    for i, (space, draw) in enumerate(zip(spaces, draws, strict=True)):
        flat, last = kind[0](space, kind[1], draw.seed), None if before is None else before[i]
        coordinates.append(flat if last is None else aligned(flat, last))
        scores.append(layout_scores(rank[i], coordinates[-1], last, draw.labellings, k, draw.seed))
    return Layout(name=name, coordinates=coordinates, scores=ranges(scores))


def layout_scores(
    space: NeighbourRanks,
    coordinates: Coordinates,
    before: Coordinates | None,
    labellings: Labellings,
    k: int,
    seed: int,
) -> dict[str, float]:
    """Quality of a map against its space, label agreement in it, and how far it moved since the level before."""
    shown = ranks(coordinates)
    found = qualities(space, shown, k) | with_null(agreements(shown, labellings, k))
    found |= {f"{name}_null": value for name, value in qualities(space, misplaced(shown, seed), k).items()}
    if before is not None:
        mixed = np.random.default_rng(seed).permutation(coordinates)
        found |= {"moved": disparity(coordinates, before), "moved_null": disparity(mixed, before)}
    return found


def _clouds(
    cluster_axes: int, spaces: Sequence[Rows], layouts: Sequence[Layout], draws: Sequence[MapDraw]
) -> Iterator[tuple[str, Sequence[tuple[Cloud, Cloud]]]]:
    """What is clustered, for every seed beside its null: the space, UMAP's few dimensions of it, the flat maps."""
    seeds = [draw.seed for draw in draws]
    full = [(space, coordinates_shuffled(space, seed)) for space, seed in zip(spaces, seeds, strict=True)]
    yield "full", full
    if cluster_axes:
        sets = zip(full, seeds, strict=True)
        yield "gathered", [(gathered(a, cluster_axes, s), gathered(b, cluster_axes, s)) for (a, b), s in sets]
    for one in layouts:
        if one.n_axes == 2:
            maps = zip(one.coordinates, seeds, strict=True)
            yield one.name, [(rows, coordinates_shuffled(rows, seed)) for rows, seed in maps]


def _clusters(
    rules: MapRules, clouds: Mapping[str, Sequence[tuple[Cloud, Cloud]]], draws: Sequence[MapDraw]
) -> Iterator[tuple[tuple[str, str], Scores]]:
    for where, cloud in clouds.items():
        found = [
            dict(cluster_scores(rows, null, draw.labellings, rules.min_cluster_size, draw.seed))
            for (rows, null), draw in zip(cloud, draws, strict=True)
        ]
        for method in found[0]:
            yield (where, method), ranges([scores[method] for scores in found])


def cluster_scores(
    rows: Rows, null: Rows, labellings: Labellings, min_cluster_size: int, seed: int
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """For each method, its clusters, and their silhouette and agreement with the labels beside the nulls.

    Args:
        null: rows without structure that have come the same way.
    """
    n_classes = len(np.unique(labellings[0]))
    methods: dict[str, Callable[[Rows], Labels]] = {
        "kmeans": lambda cloud: kmeans(cloud, n_classes, seed),
        "hdbscan": lambda cloud: hdbscan(cloud, min_cluster_size),
    }
    for name, method in methods.items():
        partition, by_chance = method(rows), _shape(null, method(null))
        nulls = {f"{metric}_null": value for metric, value in by_chance.items()}
        yield name, _shape(rows, partition) | nulls | label_match(partition, labellings)


def _shape(rows: Rows, partition: Labels) -> dict[str, float]:
    return {
        "n_clusters": float(len(set(partition.tolist()) - {NOISE})),
        "noise": float((partition == NOISE).mean()),
        "silhouette": silhouette(rows, partition),
    }

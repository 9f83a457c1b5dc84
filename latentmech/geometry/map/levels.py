"""One level of a map study: its maps for every seed, its clusters, its outliers, each number beside its null."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float, Int

from latentmech.geometry.clusters import NOISE, Partition, hdbscan, kmeans, label_match, silhouette
from latentmech.geometry.map import quality
from latentmech.geometry.map.points import MapDraw
from latentmech.geometry.map.projection import Coordinates, Projection, Rows, gathered
from latentmech.geometry.map.settings import MapSettings
from latentmech.geometry.rows import coordinates_shuffled
from latentmech.model import Level
from latentmech.statistics import Estimate, over_seeds

Projections = Mapping[str, tuple[Projection, int]]  # by names such as `tsne_2d`, with the number of axes
Scores = Mapping[str, Estimate]
Labellings = Int[np.ndarray, "labelling point"]


@dataclass(frozen=True)
class Seen:
    """One level as one seed draws it.

    Attributes:
        agreements: label agreement in the full space under the true labels, then under each shuffle of them.
        maps: each turned towards that of the level below.
        scores: of each map, quality and label agreement with their nulls.
        clusters: (`full`, `gathered` for UMAP's few dimensions, or a flat map's name; method) -> scores.
    """

    agreements: Float[np.ndarray, " labelling"]
    maps: Mapping[str, Coordinates]
    scores: Mapping[str, Mapping[str, float]]
    clusters: Mapping[tuple[str, str], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class LevelFindings:
    """One level as every seed draws it.

    Attributes:
        remoteness: of the first seed's points, in medians; `remoteness_null` is the largest of shuffled coordinates.
    """

    level: Level
    seen: Sequence[Seen]
    remoteness: Float[np.ndarray, " point"]
    remoteness_null: float

    @cached_property
    def space(self) -> Scores:
        """Label agreement in the full space with its null, over the seeds."""
        return _ranges([quality.with_null(one.agreements) for one in self.seen])

    @cached_property
    def maps(self) -> dict[str, Scores]:
        """Scores of every map over the seeds."""
        return {name: _ranges([one.scores[name] for one in self.seen]) for name in self.seen[0].scores}

    @cached_property
    def clusters(self) -> dict[tuple[str, str], Scores]:
        """Scores of clusters over the seeds."""
        return {of: _ranges([one.clusters[of] for one in self.seen]) for of in self.seen[0].clusters}


def level_findings(
    settings: MapSettings, projections: Projections, level: Level, spaces: Sequence[Rows], draws: Sequence[MapDraw],
    before: LevelFindings | None,
) -> LevelFindings:  # fmt: skip
    """Everything about one level.

    Args:
        spaces: its rows, one set for each seed.
        before: the level below, towards which maps are turned.
    """
    below = [one.maps for one in before.seen] if before else [{}] * len(draws)
    seen = [_seen(settings, projections, *one) for one in zip(spaces, draws, below, strict=True)]
    clouds = spaces[0], coordinates_shuffled(spaces[0], draws[0].seed)
    own, null = (quality.remoteness(rows, settings.neighbours) for rows in clouds)
    return LevelFindings(level=level, seen=seen, remoteness=own, remoteness_null=float(null.max()))


def _ranges(scores: Sequence[Mapping[str, float]]) -> Scores:
    return {name: over_seeds(score[name] for score in scores) for name in scores[0]}


def _seen(
    settings: MapSettings, projections: Projections, space: Rows, draw: MapDraw, below: Mapping[str, Coordinates]
) -> Seen:
    """The level of one seed: each map turned towards that of the level below, and measured."""
    k, seed, rank = settings.neighbours, draw.seed, quality.ranks(space)
    maps, scores = {}, {}
    for name, (project, n_axes) in projections.items():
        flat, last = project(space, n_axes, seed), below.get(name)
        maps[name] = flat if last is None else quality.aligned(flat, last)
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
    return Seen(quality.agreements(rank, draw.labellings, k), maps, scores, clusters)


def layout_scores(
    space: quality.Ranks,
    coordinates: Coordinates,
    before: Coordinates | None,
    labellings: Labellings,
    k: int,
    seed: int,
) -> dict[str, float]:
    """Quality of a map against its space, label agreement in it, and how far it moved since the level before."""
    shown = quality.ranks(coordinates)
    found = quality.qualities(space, shown, k) | quality.with_null(quality.agreements(shown, labellings, k))
    null = quality.qualities(space, quality.misplaced(shown, seed), k)
    found |= {f"{name}_null": value for name, value in null.items()}
    if before is not None:
        mixed = np.random.default_rng(seed).permutation(coordinates)
        found |= {"moved": quality.disparity(coordinates, before), "moved_null": quality.disparity(mixed, before)}
    return found


def cluster_scores(
    rows: Rows, null: Rows, labellings: Labellings, min_cluster_size: int, seed: int
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """By method, clusters and their agreement with the labels, beside those of `null`: rows without structure."""
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

"""One level of a map study: its maps for every seed, its clusters, its outliers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from latentmech.geometry.map.alignment import aligned
from latentmech.geometry.map.findings import Layout, LevelFindings, Scores
from latentmech.geometry.map.outliers import remoteness
from latentmech.geometry.map.points import Points
from latentmech.geometry.map.projection import Projection, gathered, pca, tsne, umap
from latentmech.geometry.map.quality import Ranks, ranks
from latentmech.geometry.map.scores import cluster_scores, layout_scores, space_scores
from latentmech.geometry.scaling import coordinates_shuffled
from latentmech.geometry.spread import over_seeds
from latentmech.model import Level

if TYPE_CHECKING:
    from latentmech.geometry.map.study import MapStudy

Rows = Float[np.ndarray, "point d_model"]
Coordinates = Float[np.ndarray, "point axis"]
Cloud = Rows | Coordinates


def level_findings(
    study: "MapStudy", level: Level, spaces: Sequence[Rows], draws: Sequence[Points], before: LevelFindings | None
) -> LevelFindings:
    """Everything about one level.

    Args:
        spaces: its rows, one set for each seed.
        draws: the points of each seed.
        before: the level below, towards which maps are turned.
    """
    rank = [ranks(space) for space in spaces]
    places = {(one.method, one.n_axes): one.coordinates for one in before.layouts} if before else {}
    layouts = [
        _layout(study, method, n_axes, spaces, rank, draws, places.get((method, n_axes)))
        for method in study.methods
        for n_axes in study.dimensions
    ]
    null = coordinates_shuffled(spaces[0], study.seed)
    return LevelFindings(
        level=level,
        space=_space_scores(study, rank, draws),
        layouts=layouts,
        clusters=dict(_clusters(study, dict(_clouds(study, spaces, layouts)), draws)),
        remoteness=remoteness(spaces[0], study.neighbours),
        remoteness_null=float(remoteness(null, study.neighbours).max()),
    )


def _projection(study: "MapStudy", method: str) -> Projection:
    projections: dict[str, Projection] = {
        "pca": pca,
        "tsne": partial(tsne, perplexity=study.perplexity),
        "umap": partial(umap, n_neighbors=study.umap_neighbours, min_dist=study.min_dist),
    }
    return projections[method]


def _layout(
    study: "MapStudy",
    method: str,
    n_axes: int,
    spaces: Sequence[Rows],
    rank: Sequence[Ranks],
    draws: Sequence[Points],
    before: Sequence[Coordinates] | None,
) -> Layout:
    """One kind of map for every seed; turned towards the level before, and measured."""
    project, coordinates, scores = _projection(study, method), [], []
    for i, (seed, space) in enumerate(zip(study.every_seed, spaces, strict=True)):
        own = project(space, n_axes, seed)
        last = None if before is None else before[i]
        coordinates.append(own if last is None else aligned(own, last))
        labels = draws[i].labels
        scores.append(layout_scores(rank[i], own, last, labels, study.neighbours, study.permutations, seed))
    return Layout(method=method, coordinates=coordinates, scores=over_seeds(scores))


def _space_scores(study: "MapStudy", rank: Sequence[Ranks], draws: Sequence[Points]) -> Scores:
    sets = zip(rank, draws, study.every_seed, strict=True)
    return over_seeds(
        [space_scores(own, draw.labels, study.neighbours, study.permutations, seed) for own, draw, seed in sets]
    )


def _clouds(
    study: "MapStudy", spaces: Sequence[Rows], layouts: Sequence[Layout]
) -> Iterator[tuple[str, Sequence[tuple[Cloud, Cloud]]]]:
    """What is clustered, for every seed beside its null: the space, UMAP's few dimensions of it, the flat maps."""
    seeds = study.every_seed
    nulls = [coordinates_shuffled(space, seed) for space, seed in zip(spaces, seeds, strict=True)]
    yield "full", list(zip(spaces, nulls, strict=True))
    if study.cluster_axes:
        sets = zip(spaces, nulls, seeds, strict=True)
        yield (
            "gathered",
            [(gathered(own, study.cluster_axes, s), gathered(null, study.cluster_axes, s)) for own, null, s in sets],
        )
    for one in layouts:
        if one.n_axes == 2:
            own = zip(one.coordinates, seeds, strict=True)
            yield one.name, [(rows, coordinates_shuffled(rows, seed)) for rows, seed in own]


def _clusters(
    study: "MapStudy", clouds: Mapping[str, Sequence[tuple[Cloud, Cloud]]], draws: Sequence[Points]
) -> Iterator[tuple[tuple[str, str], Scores]]:
    for where, cloud in clouds.items():
        sets = zip(cloud, draws, study.every_seed, strict=True)
        found = [
            dict(cluster_scores(own, null, draw.labels, study.min_cluster_size, study.permutations, seed))
            for (own, null), draw, seed in sets
        ]
        for method in found[0]:
            yield (where, method), over_seeds([scores[method] for scores in found])

"""The maps themselves, drawn and as a page to walk through, and a curve."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from latentmech.geometry.map.findings import Layout, LevelFindings, MapFindings
from latentmech.geometry.map.tables import NAMES, shown_name
from latentmech.model import Model
from latentmech.report import Curve, Picture, PointMap, map_page, point_maps

if TYPE_CHECKING:
    from latentmech.geometry.map.study import MapStudy


def pictures(study: "MapStudy", findings: MapFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    """One picture for each kind of map: all levels, above the labels shuffled."""
    points = findings.shown
    name = study.asked().name
    colourings = {name: points.labels, "labels shuffled": findings.shuffled}
    for i, first in enumerate(findings.levels[0].layouts):
        maps = [_point_map(one, one.layouts[i]) for one in findings.levels]
        title = f"{shown_name(first.name)} of {len(points):,} points in {model.name}"
        figure = point_maps(maps, colourings, points.classes, title)
        caption = (
            f"{title}, coloured by {name} above and by the same labels shuffled below. Each level is turned to the "
            "one before. The numbers are those of the table, over seeds; the points are those of the first seed."
        )
        yield first.name, Picture(title=shown_name(first.name), figure=figure, caption=caption)


def _point_map(one: LevelFindings, layout: Layout) -> PointMap:
    score = {name: estimate.value for name, estimate in layout.scores.items()}
    quality = (
        f"trust {score['trustworthiness']:.2f} · continuity {score['continuity']:.2f} · "
        f"recall {score['neighbour_recall']:.2f}"
    )
    own = f"{quality}\nlabel agreement {score['label_agreement']:.2f}"
    chance = f"label agreement {score['label_agreement_shuffled']:.2f}"
    return PointMap(
        name=one.level.place, coordinates=layout.coordinates[0], kind=NAMES[layout.method], said=(own, chance)
    )


def page(findings: MapFindings, title: str) -> str:
    """All maps on one page of HTML that stands alone."""
    points = findings.shown
    kinds = range(len(findings.levels[0].layouts))
    maps = [_point_map(one, one.layouts[kind]) for kind in kinds for one in findings.levels]
    intro = (
        "The menu chooses method and level; every level is turned towards the one before. Left the labels, right the "
        "same labels shuffled: colour structure that is there as well is chance. Sizes of groups and distances between "
        "them mean little in t-SNE and UMAP. A click on a class hides it, a double click shows it alone."
    )
    colourings = {"labels": points.labels, "labels shuffled": findings.shuffled}
    return map_page(maps, colourings, points.classes, points.texts.tolist(), title=title, intro=intro)


def curves(findings: MapFindings) -> Iterator[Curve]:
    """Label agreement against depth: 0 is the embedding, k the output of block k - 1."""
    depth = tuple(0.0 if one.level.layer is None else one.level.layer + 1.0 for one in findings.levels)
    for name in ("label_agreement", "label_agreement_shuffled"):
        values = tuple(one.space[name].value for one in findings.levels)
        yield Curve(name=f"geometry/map/full/{name}", axis="geometry/depth", steps=depth, values=values)

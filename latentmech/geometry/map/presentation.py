"""From maps to a `Report`: the answer in words, the pictures, the page to walk through."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from latentmech.data import Examples
from latentmech.geometry.map.findings import Layout, LevelFindings, MapFindings
from latentmech.geometry.map.tables import NAMES, cluster_table, map_table, outlier_table, shown_name
from latentmech.model import Model
from latentmech.report import Curve, Ledger, Picture, PointMap, Report, Table, map_page, point_maps
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.map.study import MapStudy


def present(study: "MapStudy", findings: MapFindings, model: Model, examples: Examples) -> Report:
    """Everything a reader gets."""
    name = study.asked().name
    ledger = Ledger({"study": "geometry", "task": f"map {name}", "site": study.site})
    _numbers(findings, ledger)
    title = f"Maps of {name} in {model.name}"
    return Report(
        title=title,
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=_tables(study, findings),
        pictures=dict(_pictures(study, findings, model)),
        pages={"maps": _page(findings, title)},
        curves=tuple(_curves(findings)),
        notes=tuple(_notes(study, findings, model, examples)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": examples.source, "fingerprint": fingerprint([examples.texts, examples.spans])},
        },
    )


def headline(study: "MapStudy", findings: MapFindings, model: Model) -> str:
    """The level where neighbours agree most, what its best map keeps of that, and what clusters make of it."""
    name = study.asked().name
    best = max(findings.levels, key=lambda one: one.space["label_agreement"].value)
    layout = max(best.layouts, key=lambda one: (-one.n_axes, one.scores["neighbour_recall"].value))
    space, chance = best.space["label_agreement"], best.space["label_agreement_shuffled_p95"].value
    verdict = "above" if space.ci_low > chance else "not above"
    return (
        f"At {best.level.place} of {model.name}, {space.value:.0%} of a point's {study.neighbours} neighbours share "
        f"its {name}, {verdict} what shuffled labels give (95 % below {chance:.0%}). {_on_map(best, layout)} "
        f"{_on_clusters(best)}"
    )


def _on_map(one: LevelFindings, layout: Layout) -> str:
    """What the best flat map shows of it; a map may well show more than there is."""
    shown, space = layout.scores["label_agreement"], one.space["label_agreement"]
    more = ", more than the space itself has: it sharpens" if shown.ci_low > space.ci_high else ""
    return (
        f"The {shown_name(layout.name)} map shows {shown.value:.0%}{more}, and keeps "
        f"{layout.scores['neighbour_recall'].value:.0%} of the true neighbours (trustworthiness "
        f"{layout.scores['trustworthiness'].value:.2f})."
    )


def _on_clusters(one: LevelFindings) -> str:
    """Whether the labels are clusters of the full space."""
    kmeans, dense = one.clusters["full", "kmeans"], one.clusters["full", "hdbscan"]
    alike = kmeans["ami"].ci_low > kmeans["ami_null_p95"].value
    found = "agree with the labels above chance" if alike else "do not agree with the labels above chance"
    return (
        f"Clusters by k-means in the full space {found} (AMI {kmeans['ami'].value:.2f}, of 1); "
        f"HDBSCAN leaves {dense['noise'].value:.0%} of the points in no cluster."
    )


def _numbers(findings: MapFindings, ledger: Ledger) -> None:
    for one in findings.levels:
        sets = {"full": one.space} | {layout.name: layout.scores for layout in one.layouts}
        sets |= {f"{where}/{method}": scores for (where, method), scores in one.clusters.items()}
        for name, scores in sets.items():
            for metric, estimate in scores.items():
                columns = {"layer": one.level.layer, "method": name, "control": _control(metric)}
                ledger.add(f"geometry/map/{one.level.label}/{name}/{metric}", estimate, metric, **columns)


def _control(metric: str) -> str | None:
    return next((kind for kind in ("shuffled", "null") if f"_{kind}" in metric), None)


def _tables(study: "MapStudy", findings: MapFindings) -> dict[str, Table]:
    tables = {"maps": map_table(findings, study.neighbours), "clusters": cluster_table(findings)}
    return tables | ({"outliers": outlier_table(study, findings)} if study.outliers else {})


def _pictures(study: "MapStudy", findings: MapFindings, model: Model) -> Iterator[tuple[str, Picture]]:
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


def _page(findings: MapFindings, title: str) -> str:
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


def _curves(findings: MapFindings) -> Iterator[Curve]:
    """Label agreement against depth: 0 is the embedding, k the output of block k - 1."""
    depth = tuple(0.0 if one.level.layer is None else one.level.layer + 1.0 for one in findings.levels)
    for name in ("label_agreement", "label_agreement_shuffled"):
        values = tuple(one.space[name].value for one in findings.levels)
        yield Curve(name=f"geometry/map/full/{name}", axis="geometry/depth", steps=depth, values=values)


def _notes(study: "MapStudy", findings: MapFindings, model: Model, examples: Examples) -> Sequence[str]:
    notes = list(examples.notes)
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    drawn = f"{len(findings.shown):,} points a seed" + ("." if study.repeats else ", every word form once at most.")
    notes.append(f"{drawn} The first position of every text is left out: its state is a sink.")
    if study.standardise:
        notes.append("Every coordinate was brought to variance 1; without that a few of them decide all distances.")
    notes.append("Each seed draws other words and lays them out anew; the pictures show the first.")
    return notes

"""What a map study says: numbers, tables, the maps themselves (drawn, and as a page to walk through), sentences."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from latentmech.geometry.map.findings import LevelFindings, MapFindings
from latentmech.geometry.rows import said_of_the_first
from latentmech.model import Model
from latentmech.report import Ledger, Method, Picture, PointMap, Report, Table, account, by_depth, map_page, point_maps
from latentmech.statistics import Estimate

ROOM = "geometry/map"
NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP", "kmeans": "k-means", "hdbscan": "HDBSCAN"}
QUALITIES = {"trust": "trustworthiness", "continuity": "continuity", "recall": "neighbour_recall"}
SHAPES = {"clusters": "n_clusters", "noise": "noise", "silhouette": "silhouette"}
CLEAR = 0.05  # p-value from which on shuffled labels count as beaten


def account_of(study: object, found: MapFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": f"map {found.task}", "site": found.settings.site})
    for one in found.levels:
        clusters = {f"{where}/{method}": scores for (where, method), scores in one.clusters.items()}
        for name, scores in ({"full": one.space} | one.maps | clusters).items():
            for metric, estimate in scores.items():
                control = next((kind for kind in ("shuffled", "null") if f"_{kind}" in metric), None)
                columns = {"layer": one.level.layer, "method": name, "control": control}
                ledger.add(f"{ROOM}/{one.level.label}/{name}/{metric}", estimate, metric, **columns)
    columns = {"layer": found.best.level.layer, "method": "full"}
    ledger.add(f"{ROOM}/best/label_agreement_p", found.chance_at_best[1], "label_agreement_p", **columns)
    title = f"Maps of {found.task} in {model.name}"
    tables = {"maps": _map_table(found), "clusters": _cluster_table(found)}
    drawn = ("label_agreement", "label_agreement_shuffled")
    curves = {f"{ROOM}/full/{name}": [one.space[name].value for one in found.levels] for name in drawn}
    return account(
        study, model, ledger,
        title=title,
        headline=headline(found, model),
        tables=tables | ({"outliers": _outlier_table(found)} if found.settings.outliers else {}),
        pictures=dict(pictures(found, model)),
        pages={"maps": _page(found, title)},
        curves=by_depth("geometry/depth", [one.level for one in found.levels], curves),
        data=found.examples,
        notes=_notes(found),
        methods=_methods(found),
    )  # fmt: skip


def shown_name(name: str) -> str:
    """`tsne_2d` as a reader knows it: t-SNE 2-D."""
    method, _, axes = name.partition("_")
    return f"{NAMES[method]} {axes.replace('d', '-D')}".strip() if method in NAMES else f"{name} space"


def _map_table(found: MapFindings) -> Table:
    rows, k = [], found.settings.neighbours
    for one in found.levels:
        for which, scores in one.maps.items():
            row: dict[str, object] = {"level": one.level.tick, "map": shown_name(which)}
            for title, name in QUALITIES.items():
                row |= _around(title, scores[name]) | {f"null {title}": scores[f"{name}_null"].value}
            row |= _around("labels", scores["label_agreement"])
            row |= {"shuffled p95": scores["label_agreement_shuffled_p95"].value}
            row |= {"in the space": one.space["label_agreement"].value}
            rows.append(row | {name: scores[name].value for name in ("moved", "moved_null") if name in scores})
    caption = (
        f"Of {k} neighbours. Means over {len(found.draws)} seeds, with ± half the range from the smallest to the "
        "largest; null: the same points in each other's places. Labels: share of neighbours with the point's own "
        "label, p95 over shuffled labels, and what it is in the full space. Moved: Procrustes disparity to the level "
        "before (0 the same shape), and for unrelated points."
    )
    return Table(title="How far each map can be believed", frame=pd.DataFrame(rows), caption=caption)


def _around(title: str, estimate: Estimate) -> dict[str, float]:
    return {title: estimate.value, f"± {title}": (estimate.ci_high - estimate.ci_low) / 2}


def _cluster_table(found: MapFindings) -> Table:
    rows = []
    for one in found.levels:
        for (where, method), scores in one.clusters.items():
            row: dict[str, object] = {"level": one.level.tick, "in": shown_name(where), "method": NAMES[method]}
            for title, name in SHAPES.items():
                row |= {title: scores[name].value, f"{title} null": scores[f"{name}_null"].value}
            for name in ("ari", "ami"):
                row |= {name.upper(): scores[name].value, f"{name.upper()} null p95": scores[f"{name}_null_p95"].value}
            rows.append(row)
    caption = (
        "Means over seeds. Noise: share of points in no cluster, for ARI and AMI one group more. Null of clusters, "
        "noise and silhouette: the same method on rows with coordinates shuffled one by one (in the gathered space "
        "before UMAP gathers it); a dash where it finds fewer than two clusters. ARI and AMI null: 95th percentile "
        "over shuffled labels. Clusters of a flat map are clusters of the map."
    )
    return Table(title="Clusters", frame=pd.DataFrame(rows), caption=caption)


def _outlier_table(found: MapFindings) -> Table:
    points, k = found.shown, found.settings.neighbours
    rows = [
        {"level": one.level.tick, "distance": float(one.remoteness[i]), "furthest by chance": one.remoteness_null}
        | {"label": points.classes[points.labels[i]], "text": points.texts[i]}
        for one in found.levels
        for i in np.argsort(-one.remoteness, kind="stable")[: found.settings.outliers].tolist()
    ]
    caption = (
        f"Mean distance to the {k} nearest, in medians over the first seed's points; by chance: the largest "
        "where every coordinate is shuffled by itself."
    )
    return Table(title="Outliers", frame=pd.DataFrame(rows), caption=caption)


def pictures(found: MapFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    """One picture for each kind of map: all levels, above the labels shuffled."""
    points = found.shown
    for name in found.levels[0].maps:
        maps = [_point_map(one, name) for one in found.levels]
        title = f"{shown_name(name)} of {len(points):,} points in {model.name}"
        colourings = {found.task: points.labels, "labels shuffled": found.draws[0].labellings[1]}
        figure = point_maps(maps, colourings, points.classes, title)
        caption = (
            f"{title}, coloured by {found.task} above and by the same labels shuffled below. Each level is turned to "
            "the one before. The numbers are those of the table, over seeds; the points are those of the first seed."
        )
        yield name, Picture(title=shown_name(name), figure=figure, caption=caption)


def _point_map(one: LevelFindings, which: str) -> PointMap:
    score = {name: estimate.value for name, estimate in one.maps[which].items()}
    quality = " · ".join(f"{title} {score[name]:.2f}" for title, name in QUALITIES.items())
    true = f"{quality}\nlabel agreement {score['label_agreement']:.2f}"
    chance = f"label agreement {score['label_agreement_shuffled']:.2f}"
    method, coordinates = NAMES[which.partition("_")[0]], one.seen[0].maps[which]
    return PointMap(name=one.level.place, coordinates=coordinates, kind=method, said=(true, chance))


def _page(found: MapFindings, title: str) -> str:
    points = found.shown
    maps = [_point_map(one, which) for which in found.levels[0].maps for one in found.levels]
    intro = (
        "The menu chooses method and level; every level is turned towards the one before. Left the labels, right the "
        "same labels shuffled: colour structure that is there as well is chance. Sizes of groups and distances between "
        "them mean little in t-SNE and UMAP. A click on a class hides it, a double click shows it alone."
    )
    colourings = {"labels": points.labels, "labels shuffled": found.draws[0].labellings[1]}
    return map_page(maps, colourings, points.classes, points.texts.tolist(), title=title, intro=intro)


def headline(found: MapFindings, model: Model) -> str:
    """The level where neighbours agree most, what its best map keeps of that, and what clusters make of it."""
    best, (p95, p), k = found.best, found.chance_at_best, found.settings.neighbours
    above = "above" if p <= CLEAR else "not above"
    return (
        f"At {best.level.place} of {model.name}, the best of {len(found.levels)} levels, "
        f"{best.space['label_agreement'].value:.0%} of a point's {k} neighbours share its {found.task}, {above} "
        f"what shuffled labels reach at their own best level (95 % below {p95:.0%}; p = {p:.2g}). "
        f"{_on_map(best)} {_on_clusters(best)}"
    )


def _on_map(one: LevelFindings) -> str:
    """What the best flat map shows of it; a map may well show more than there is."""
    which = max(one.maps, key=lambda of: (-one.seen[0].maps[of].shape[1], one.maps[of]["neighbour_recall"].value))
    scores, space = one.maps[which], one.space["label_agreement"]
    shown = scores["label_agreement"]
    more = ", more than the space itself has: it sharpens" if shown.ci_low > space.ci_high else ""
    return (
        f"The {shown_name(which)} map shows {shown.value:.0%}{more}, and keeps "
        f"{scores['neighbour_recall'].value:.0%} of the true neighbours (trustworthiness "
        f"{scores['trustworthiness'].value:.2f})."
    )


def _on_clusters(one: LevelFindings) -> str:
    """Whether the labels are clusters of the full space."""
    kmeans = one.clusters["full", "kmeans"]
    where, how = ("gathered", ", after UMAP,") if ("gathered", "hdbscan") in one.clusters else ("full", "")
    dense = one.clusters[where, "hdbscan"]
    alike = kmeans["ami"].ci_low > kmeans["ami_null_p95"].value
    agree = "agree with the labels above chance" if alike else "do not agree with the labels above chance"
    return (
        f"Clusters by k-means in the full space {agree} (AMI {kmeans['ami'].value:.2f}, of 1); "
        f"HDBSCAN{how} leaves {dense['noise'].value:.0%} of the points in no cluster, and "
        f"{dense['noise_null'].value:.0%} where every coordinate is shuffled."
    )


def _notes(found: MapFindings) -> Iterator[str]:
    once = "." if found.settings.repeats else ", every word form once at most."
    unit = "word" if found.shown.per_word else "text"
    yield f"{len(found.shown):,} points a seed{once} {said_of_the_first(f'{unit}_{found.settings.position}')}"
    if found.settings.standardise:
        yield "Every coordinate was brought to variance 1; without that a few of them decide all distances."
    yield (
        "The best level is chosen on the points that it is reported on; shuffled labels choose theirs too, but what is "
        "said of its map and of its clusters has no such allowance."
    )


def _methods(found: MapFindings) -> Iterator[Method]:
    names = " and ".join(map(shown_name, found.levels[0].maps))
    n, k = len(found.draws[0].labellings) - 1, found.settings.neighbours
    yield Method(
        f"{len(found.shown):,} points of {found.examples.source}, coloured by {found.task}, were drawn "
        f"{len(found.draws)} times and laid out at {len(found.levels)} levels ({found.settings.site}) by {names}. "
        f"Trustworthiness, continuity and recall of {k} neighbours stand beside those of the same points in each "
        "other's places; maps of successive levels are turned towards each other by orthogonal Procrustes. Ranges are "
        "over draws.",
        ("venna2001", "gower1975", "policar2024", "mcinnes2018"),
    )
    yield Method(
        f"Label agreement of neighbours is tested against {n} exchanges of the labels by the unit that was labelled, "
        "each exchange at its own best level, in every draw; the largest p-value of the draws is given.",
        ("phipson2010",),
    )
    yield Method(
        "k-means (as many clusters as classes) and HDBSCAN are compared with the labels by adjusted Rand index and "
        "adjusted mutual information, beside the 95th percentile over the same exchanges, level by level and without "
        "correction for their number.",
        ("hubert1985", "vinh2010", "campello2013"),
    )

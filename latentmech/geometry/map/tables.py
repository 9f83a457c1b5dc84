"""The tables of a map study: how far each map can be believed, the clusters, the outliers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.geometry.map.findings import MapFindings
from latentmech.report import Table
from latentmech.statistics import Estimate

if TYPE_CHECKING:
    from latentmech.geometry.map.study import MapStudy

NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP", "kmeans": "k-means", "hdbscan": "HDBSCAN"}
QUALITIES = {"trust": "trustworthiness", "continuity": "continuity", "recall": "neighbour_recall"}


def shown_name(name: str) -> str:
    """`tsne_2d` as a reader knows it: t-SNE 2-D."""
    method, _, axes = name.partition("_")
    return f"{NAMES[method]} {axes.replace('d', '-D')}".strip() if method in NAMES else f"{name} space"


def map_table(findings: MapFindings, k: int) -> Table:
    """Every map of every level, each number with its null."""
    rows = [
        {"level": one.level.tick, "map": shown_name(layout.name)}
        | _columns(layout.scores, QUALITIES)
        | _agreement(layout.scores)
        | {"in the space": one.space["label_agreement"].value}
        | {name: layout.scores[name].value for name in ("moved", "moved_null") if name in layout.scores}
        for one in findings.levels
        for layout in one.layouts
    ]
    caption = (
        f"Of {k} neighbours. Means over {len(findings.draws)} seeds, with ± half the range from the smallest to the "
        "largest; null: the same points in each other's places. Labels: share of neighbours with the point's own "
        "label, p95 over shuffled labels, and what it is in the full space. Moved: Procrustes disparity to the level "
        "before (0 the same shape), and for unrelated points."
    )
    return Table(title="How far each map can be believed", frame=pd.DataFrame(rows), caption=caption)


def _columns(scores: Mapping[str, Estimate], names: Mapping[str, str]) -> dict[str, object]:
    columns: dict[str, object] = {}
    for title, name in names.items():
        own = scores[name]
        columns |= {title: own.value, f"± {title}": (own.ci_high - own.ci_low) / 2}
        columns |= {f"null {title}": scores[f"{name}_null"].value}
    return columns


def _agreement(scores: Mapping[str, Estimate]) -> dict[str, object]:
    own, null = scores["label_agreement"], scores["label_agreement_shuffled_p95"]
    return {"labels": own.value, "± labels": (own.ci_high - own.ci_low) / 2, "shuffled p95": null.value}


def cluster_table(findings: MapFindings) -> Table:
    """Clusters of every level, in the space and in its flat maps."""
    rows = [
        {"level": one.level.tick, "in": shown_name(where), "method": NAMES[method]}
        | {"clusters": scores["n_clusters"].value, "clusters null": scores["n_clusters_null"].value}
        | {"noise": scores["noise"].value, "noise null": scores["noise_null"].value}
        | {"silhouette": scores["silhouette"].value, "silhouette null": scores["silhouette_null"].value}
        | {"ARI": scores["ari"].value, "ARI null p95": scores["ari_null_p95"].value}
        | {"AMI": scores["ami"].value, "AMI null p95": scores["ami_null_p95"].value}
        for one in findings.levels
        for (where, method), scores in one.clusters.items()
    ]
    caption = (
        "Means over seeds. Noise: share of points in no cluster, for ARI and AMI one group more. Null of clusters, "
        "noise and silhouette: the same method on rows with coordinates shuffled one by one (in the gathered space "
        "before UMAP gathers it); a dash where it finds fewer than two clusters. ARI and AMI null: 95th percentile "
        "over shuffled labels. Clusters of a flat map are clusters of the map."
    )
    return Table(title="Clusters", frame=pd.DataFrame(rows), caption=caption)


def outlier_table(study: "MapStudy", findings: MapFindings) -> Table:
    """The most distant points of every level, with their text."""
    points = findings.shown
    rows = [
        {"level": one.level.tick, "distance": float(one.remoteness[i]), "furthest by chance": one.remoteness_null}
        | {"label": points.classes[points.labels[i]], "text": points.texts[i]}
        for one in findings.levels
        for i in np.argsort(-one.remoteness, kind="stable")[: study.outliers].tolist()
    ]
    caption = (
        f"Mean distance to the {study.neighbours} nearest, in medians over the first seed's points; by chance: the "
        "largest where every coordinate is shuffled by itself."
    )
    return Table(title="Outliers", frame=pd.DataFrame(rows), caption=caption)

"""What a map study says in sentences: the headline and the notes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.data import Examples
from latentmech.geometry.first_position import said_of_the_first
from latentmech.geometry.map.findings import Layout, LevelFindings, MapFindings
from latentmech.geometry.map.tables import shown_name
from latentmech.model import Model

if TYPE_CHECKING:
    from latentmech.geometry.map.study import MapStudy


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
    kmeans = one.clusters["full", "kmeans"]
    where, how = ("gathered", ", after UMAP,") if ("gathered", "hdbscan") in one.clusters else ("full", "")
    dense = one.clusters[where, "hdbscan"]
    alike = kmeans["ami"].ci_low > kmeans["ami_null_p95"].value
    found = "agree with the labels above chance" if alike else "do not agree with the labels above chance"
    return (
        f"Clusters by k-means in the full space {found} (AMI {kmeans['ami'].value:.2f}, of 1); "
        f"HDBSCAN{how} leaves {dense['noise'].value:.0%} of the points in no cluster, and "
        f"{dense['noise_null'].value:.0%} where every coordinate is shuffled."
    )


def notes_on(study: "MapStudy", findings: MapFindings, model: Model, examples: Examples) -> Sequence[str]:
    """What a reader must know before believing a map."""
    notes = list(examples.notes)
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    drawn = f"{len(findings.shown):,} points a seed" + ("." if study.repeats else ", every word form once at most.")
    unit = "word" if findings.shown.per_word else "text"
    notes.append(f"{drawn} {said_of_the_first(f'{unit}_{study.position}')}")
    if study.standardise:
        notes.append("Every coordinate was brought to variance 1; without that a few of them decide all distances.")
    notes.append("Each seed draws other words and lays them out anew; the pictures show the first.")
    return notes

"""The pictures of a comparison: level by level, model by model, every pair of levels, the drift of the direction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.geometry.compare.against import Against
from latentmech.geometry.compare.measures import MEASURES
from latentmech.model import Model
from latentmech.report import Picture, heat_map, layer_curve

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def pictures(study: "CompareStudy", model: Model, found: Sequence[Against], twin: Against | None) -> dict[str, Picture]:
    """All of them; what is drawn for one model is drawn for the last, which of checkpoints is the most trained."""
    drawn = {"levels": _levels(model, found[-1], twin), "matrix": _matrix(model, found[-1])}
    if len(found) > 1:
        drawn["models"] = _models(model, found)
    if found[-1].levels[0].drift is not None:
        drawn["drift"] = _drift(study, model, found[-1])
    return drawn


def _levels(model: Model, other: Against, twin: Against | None) -> Picture:
    series = {
        title: [at.alike.own[name].value for at in other.levels]
        for name, title in MEASURES.items()
        if name in other.levels[0].alike.own
    }
    if twin is not None:
        series["CKA, random init"] = [at.alike.own["cka"].value for at in twin.levels]
    shuffled = [at.alike.chance["procrustes"] for at in other.levels]
    bands = {"Procrustes, shuffled": ([e.ci_low for e in shuffled], [e.ci_high for e in shuffled])}
    title = f"{model.name} against {other.name}"
    ticks = [at.level.tick for at in other.levels]
    figure = layer_curve(ticks, series, bands, None, "similarity", title, best="")
    caption = (
        "Similarity of the two models' states of the same words at every level; 1 means equal up to what each allows."
    )
    return Picture(title="Level by level", figure=figure, caption=caption)


def _models(model: Model, found: Sequence[Against]) -> Picture:
    """One point a model, in the order in which they were given: a course of training, if they are checkpoints."""
    series = {title: [other.mean(name) for other in found] for name, title in MEASURES.items()}
    names = [other.name for other in found]
    title = f"{model.name} against each, mean over levels"
    figure = layer_curve(names, series, None, None, "similarity", title, xlabel="model", best="")
    return Picture(title="Model by model", figure=figure, caption="Means over levels of every measure, model by model.")


def _matrix(model: Model, other: Against) -> Picture:
    figure = heat_map(
        other.cka.flip(0).numpy(),
        [at.level.tick for at in other.levels[::-1]],
        [level.tick for level in other.other_levels],
        title="CKA of every level with every other",
        xlabel=f"level of {other.name}",
        ylabel=f"level of {model.name}",
        bar="debiased linear CKA",
    )
    caption = f"Debiased CKA of each level of {model.name} (rows) with each level of {other.name} (columns)."
    return Picture(title="All pairs of levels", figure=figure, caption=caption)


def _drift(study: "CompareStudy", model: Model, other: Against) -> Picture:
    drifts = [at.drift for at in other.levels if at.drift is not None]
    series = {
        "cosine": [d.cosine for d in drifts],
        "AUROC, frozen": [d.frozen for d in drifts],
        "AUROC, refitted": [d.refitted for d in drifts],
        f"AUROC in {model.name}": [d.source for d in drifts],
        "AUROC, random p95": [d.random_p95 for d in drifts],
    }
    title = f"The {study.called} direction from {model.name} to {other.name}"
    figure = layer_curve([at.level.tick for at in other.levels], series, None, None, "", title, best="")
    caption = "Cosine of the direction found in both models, and what the first model's direction reads in the second."
    return Picture(title="Drift of a direction", figure=figure, caption=caption)

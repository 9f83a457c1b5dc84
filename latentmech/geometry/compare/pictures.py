"""The pictures of a comparison: level by level, model by model, every pair of levels, the drift of the direction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.geometry.compare.against import Against
from latentmech.geometry.compare.findings import Findings
from latentmech.geometry.compare.measures import MEASURES
from latentmech.model import Model
from latentmech.report import Picture, heat_map, layer_curve

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def pictures(study: "CompareStudy", f: Findings) -> dict[str, Picture]:
    """All of them; what is drawn for one model is drawn for the last that was given."""
    last = f.found[-1]
    drawn = {"levels": _levels(f.model, last, f.twin), "matrix": _matrix(f.model, last)}
    if f.several:
        drawn |= {"models": _models(f.model, f.found, f.twin), "course": _course(f.model, f.found)}
    if last.drifts:
        drawn["drift"] = _drift(study, f.model, last)
    if last.probed:
        drawn["probes"] = _probes(study, f.model, last, f.twin)
    if last.effects:
        drawn["effect"] = _effect(study, f.model, last)
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


def _models(model: Model, found: Sequence[Against], twin: Against | None) -> Picture:
    """One point a model, in the order in which they were given: a course of training, if they are checkpoints."""
    series = {title: [other.mean(name) for other in found] for name, title in MEASURES.items()}
    if all(other.drifts for other in found):
        series["direction's cosine"] = [float(np.nanmean([d.cosine for _, d in other.drifts])) for other in found]
    lines = {f"{title}, random init": twin.mean(name) for name, title in MEASURES.items()} if twin else None
    title = f"{model.name} against each, mean over levels"
    figure = layer_curve(_names(found), series, None, lines, "similarity", title, xlabel="model", best="")
    return Picture(title="Model by model", figure=figure, caption="Means over levels of every measure, model by model.")


def _course(model: Model, found: Sequence[Against]) -> Picture:
    """Which levels come to be like the model's own first."""
    figure = heat_map(
        np.array([[other.levels[i].alike.own["cka"].value for other in found] for i in _downwards(found[0])]),
        [found[0].levels[i].level.tick for i in _downwards(found[0])],
        _names(found),
        title=f"CKA with {model.name}",
        xlabel="model",
        ylabel="level",
        bar="debiased linear CKA",
    )
    caption = f"Debiased CKA of every level (rows) of {model.name} with its counterpart in each model (columns)."
    return Picture(title="Level by level, model by model", figure=figure, caption=caption)


def _names(found: Sequence[Against]) -> list[str]:
    """What tells the models apart: `step_0010` and `step_0100` are 0010 and 0100."""
    names = [other.name for other in found]
    heads = {name.rpartition("_")[0] for name in names}
    return names if len(heads) > 1 else [name.rpartition("_")[2] for name in names]


def _downwards(other: Against) -> range:
    """Levels from the last to the first: the last one stands on top."""
    return range(len(other.levels) - 1, -1, -1)


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
    drifts = [drift for _, drift in other.drifts]
    series = {
        "cosine": [d.cosine for d in drifts],
        "AUROC, frozen": [d.frozen for d in drifts],
        "AUROC, refitted": [d.refitted for d in drifts],
        f"AUROC in {model.name}": [d.source for d in drifts],
        "AUROC, random p95": [d.random_p95 for d in drifts],
    }
    title = f"The {study.called} direction from {model.name} to {other.name}"
    figure = layer_curve([at.level.tick for at, _ in other.drifts], series, None, None, "", title, best="")
    caption = "Cosine of the direction found in both models, and what the first model's direction reads in the second."
    return Picture(title="Drift of a direction", figure=figure, caption=caption)


def _probes(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> Picture:
    read = [probed for _, probed in other.probed]
    series = {"frozen": [p.frozen for p in read], "refitted": [p.refitted for p in read]}
    series[f"in {model.name}"] = [p.source for p in read]
    if twin is not None and twin.probed:
        series["frozen, random init"] = [p.frozen for _, p in twin.probed]
    title = f"{study.probe} probes of {model.name} in {other.name}"
    ticks = [at.level.tick for at, _ in other.probed]
    figure = layer_curve(ticks, series, None, {"majority": read[0].majority}, "test accuracy", title, best="")
    caption = f"Accuracy of {model.name}'s probes on {other.name}'s states (frozen), and of {other.name}'s own."
    return Picture(title="Probes, frozen and refitted", figure=figure, caption=caption)


def _effect(study: "CompareStudy", model: Model, other: Against) -> Picture:
    effects = [effect for _, effect in other.effects]
    both = {"frozen": [e.frozen for e in effects], "refitted": [e.refitted for e in effects]}
    both["frozen, at one length"] = [e.turned for e in effects]
    series = {name: [e.value for e in values] for name, values in both.items()}
    series[f"in {model.name}"] = [e.source.value for e in effects]
    bands = {name: ([e.ci_low for e in values], [e.ci_high for e in values]) for name, values in both.items()}
    bands["random vectors"] = ([-e.random_max for e in effects], [e.random_max for e in effects])
    title = f"Adding the {study.called} direction to {other.name}"
    ticks = [at.level.tick for at, _ in other.effects]
    figure = layer_curve(ticks, series, bands, None, "change of log-odds, nats", title, best="")
    caption = (
        f"Mean change of the log-odds when a direction is added: that of {model.name} in {other.name} (frozen; also at "
        f"the refitted one's length), {other.name}'s own (refitted), and {model.name}'s in itself, with 95 % intervals "
        "over prompts."
    )
    return Picture(title="Effect of a direction", figure=figure, caption=caption)

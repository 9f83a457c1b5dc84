"""The tables of a comparison: the models, the levels with their nulls, the drift of the direction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.geometry.compare.against import Against, AtLevel
from latentmech.geometry.compare.common_words import Words
from latentmech.geometry.compare.findings import Findings
from latentmech.geometry.compare.measures import MEASURES
from latentmech.model import Model
from latentmech.report import Table

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def tables(study: "CompareStudy", f: Findings) -> dict[str, Table]:
    """All of them: one of the models, if there are several, and those of each."""
    shown = {"models": _models(f.found, f.twin)} if f.several else {}
    for other in f.found:
        own = f"_{other.name}" if f.several else ""
        shown[f"levels{own}"] = _levels(f.model, other, f.twin, f.words)
        if other.drifts:
            shown[f"drift{own}"] = _drift(study, f.model, other, f.twin)
        if other.probed:
            shown[f"probes{own}"] = _probes(study, f.model, other, f.twin)
        if other.effects:
            shown[f"effect{own}"] = _effect(study, f.model, other)
    return shown


def _models(found: Sequence[Against], twin: Against | None) -> Table:
    rows = []
    for other in [*found, *([twin] if twin else [])]:
        row: dict[str, object] = {"model": "random init" if other is twin else other.name}
        row |= {title: other.mean(name) for name, title in MEASURES.items()}
        rows.append(row | _directions(other))
    return Table(title="Models", frame=pd.DataFrame(rows), caption="Means over levels; 1 for equal states.")


def _directions(other: Against) -> dict[str, object]:
    """Means over levels; of the effect over those where it is clear, for there is no share elsewhere."""
    cosines = [drift.cosine for _, drift in other.drifts]
    kept = [effect.kept_turned.value for _, effect in other.effects if np.isfinite(effect.kept.value)]
    row: dict[str, object] = {"direction cosine": float(np.nanmean(cosines))} if cosines else {}
    if other.probed:
        row |= {
            f"probe {name}": float(np.mean([getattr(p, name) for _, p in other.probed]))
            for name in ("frozen", "refitted")
        }
    if other.effects:
        row |= {"effect kept at one length": float(np.mean(kept)) if kept else float("nan")}
        row |= {"clear levels": f"{len(kept)} of {len(other.effects)}"}
    return row


def _levels(model: Model, other: Against, twin: Against | None, words: Words) -> Table:
    rows = [_level_row(at, twin.levels[i] if twin else None) for i, at in enumerate(other.levels)]
    caption = (
        f"{len(words.rows)} words, each form once. 1 for equal states. 95 % intervals over documents; Procrustes and "
        "subspace have one only where half of the words give about the same number. Shuffled: rows of one model "
        f"permuted (mean of draws); for the subspace, random ones. Twin: {model.name} against itself with random "
        "weights."
    )
    return Table(title=f"{model.name} against {other.name}", frame=pd.DataFrame(rows), caption=caption)


def _level_row(at: AtLevel, twin: AtLevel | None) -> dict[str, object]:
    row: dict[str, object] = {"layer": at.level.tick}
    if at.other.layer != at.level.layer:
        row["other's layer"] = at.other.tick
    for name, title in MEASURES.items():
        if name not in at.alike.own:
            continue
        value = at.alike.own[name]
        row[title] = value.value
        if np.isfinite(value.ci_low):
            row |= {f"{title} low": value.ci_low, f"{title} high": value.ci_high}
        row[f"{title} shuffled"] = at.alike.chance[name].value
        if twin is not None:
            row[f"{title} twin"] = twin.alike.own[name].value
    return row


def _drift(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> Table:
    rows, blanks = [], {at.level: drift for at, drift in twin.drifts} if twin else {}
    for at, own in other.drifts:
        blank = blanks.get(at.level)
        row = {"layer": at.level.tick, "cosine": own.cosine} | ({"cosine twin": blank.cosine} if blank else {})
        row |= {f"in {model.name}": own.source, "frozen": own.frozen, "refitted": own.refitted}
        row |= {"refitted − frozen": own.loss.value, "low": own.loss.ci_low, "high": own.loss.ci_high}
        rows.append(row | {"random p95": own.random_p95})
    caption = (
        f"Difference of means of the {study.called} training texts at their last token; AUROC on test. Frozen: "
        f"{model.name}'s direction on {other.name}'s states; refitted: found in {other.name}. Random: 95th percentile "
        "of random directions there, whichever sign. The interval of the difference is over groups of "
        "test texts, and missing where these are fewer than 8."
    )
    title = f"The {study.called} direction from {model.name} to {other.name}"
    return Table(title=title, frame=pd.DataFrame(rows), caption=caption)


def _probes(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> Table:
    rows, blanks = [], {at.level: read.frozen for at, read in twin.probed} if twin else {}
    for at, own in other.probed:
        row: dict[str, object] = {"layer": at.level.tick, f"in {model.name}": own.source, "frozen": own.frozen}
        row |= {"frozen in the twin": blanks[at.level]} if at.level in blanks else {}
        row |= {"refitted": own.refitted, "refitted − frozen": own.loss.value}
        rows.append(row | {"low": own.loss.ci_low, "high": own.loss.ci_high, "majority": own.majority})
    caption = (
        f"Test accuracy of ridge probes for {study.probe} on {own.loss.n} words of held-out documents. Frozen: "
        f"{model.name}'s probe, weights and bias untouched, on {other.name}'s states; in the twin: on those of random "
        f"weights. Refitted: trained on {other.name}'s. At the embedding a probe knows the token and no more."
    )
    title = f"{study.probe} probes from {model.name} to {other.name}"
    return Table(title=title, frame=pd.DataFrame(rows), caption=caption)


def _effect(study: "CompareStudy", model: Model, other: Against) -> Table:
    rows = []
    for at, own in other.effects:
        row: dict[str, object] = {"layer": at.level.tick, f"in {model.name}": own.source.value}
        for name, value in {"frozen": own.frozen, "refitted": own.refitted}.items():
            row |= {name: value.value, f"{name} low": value.ci_low, f"{name} high": value.ci_high}
        row |= {"random, largest": own.random_max}
        for name, value in {"kept": own.kept, "kept at one length": own.kept_turned}.items():
            row |= {name: value.value, f"{name}, low": value.ci_low, f"{name}, high": value.ci_high}
        rows.append(row | {"length ratio": own.length})
    caption = (
        f"Mean change of the log-odds in nats when the {study.called} direction is added to every token, with 95 % "
        f"intervals over {own.frozen.n} prompts. Frozen: {model.name}'s direction at its own length, in {other.name}; "
        f"refitted: {other.name}'s own. Random: the largest of {study.random} random vectors of the refitted one's "
        "length, either way. Kept: frozen over refitted, where the whole interval of the refitted effect lies beyond "
        "random; at one length: the frozen one stretched to the refitted one's. Length ratio: frozen over refitted."
    )
    return Table(title=f"What is left of its effect in {other.name}", frame=pd.DataFrame(rows), caption=caption)

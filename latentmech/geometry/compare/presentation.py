"""From comparisons to a `Report`: the levels side by side with their nulls, the matrix of levels, the drift."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.geometry.compare.against import Against, AtLevel
from latentmech.geometry.compare.common_words import Words
from latentmech.geometry.compare.measures import MEASURES
from latentmech.geometry.compare.procrustes import distance
from latentmech.model import Model
from latentmech.report import Ledger, Picture, Report, Table, heat_map, layer_curve

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def present(
    study: "CompareStudy", model: Model, words: Words, found: Sequence[Against], twin: Against | None
) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "compare", "site": "resid_post"})
    for other in found:
        _write_down(ledger, other, f"/{other.name}" if len(found) > 1 else "", None)
    if twin is not None:
        _write_down(ledger, twin, "/random_init", "random_init")
    tables = {"models": _model_table(found, twin)} if len(found) > 1 else {}
    for other in found:
        own = f"_{other.name}" if len(found) > 1 else ""
        tables[f"levels{own}"] = _level_table(model, other, twin, words)
        if other.levels[0].drift is not None:
            tables[f"drift{own}"] = _drift_table(study, model, other, twin)
    pictures = {"levels": _level_picture(model, found[-1], twin), "matrix": _matrix(model, found[-1])}
    if len(found) > 1:
        pictures["models"] = _models_picture(model, found)
    if found[-1].levels[0].drift is not None:
        pictures["drift"] = _drift_picture(study, model, found[-1])
    return Report(
        title=f"{model.name} against {', '.join(other.name for other in found)}",
        headline=headline(study, model, found[0], twin) if len(found) == 1 else _course(model, found, twin),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        notes=tuple(_notes(model, words, found, twin)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}},
    )


def headline(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> str:
    """Where the two differ most, and what the direction lost."""
    values = [at.alike.own["cka"].value for at in other.levels]
    least = other.levels[int(np.argmin(values))]
    rest = f" (with its random-init twin {_mean(twin, 'cka'):.3f} and {_mean(twin, 'knn'):.3f})" if twin else ""
    text = (
        f"{model.name} and {other.name} have a mean CKA of {_mean(other, 'cka'):.3f} and share "
        f"{_mean(other, 'knn'):.3f} of their neighbours{rest}; they are least alike at {_named(least)}, with "
        f"{min(values):.3f}."
    )
    moved = [at for at in other.levels if at.drift is not None]
    if not moved or study.contrast is None:
        return text
    worst = max(moved, key=lambda at: at.drift.loss.value if at.drift else 0.0)
    assert worst.drift is not None
    cosine = float(np.nanmean([at.drift.cosine for at in moved if at.drift]))
    mean = float(np.mean([at.drift.loss.value for at in moved if at.drift]))
    return (
        f"{text} The {_contrast(study)} direction has a mean cosine of {cosine:.3f} between the two; used frozen "
        f"instead of refitted it loses {mean:.3f} AUROC in the mean; of {len(moved)} levels it loses "
        f"most at {_named(worst)}, with {worst.drift.frozen:.3f} against {worst.drift.refitted:.3f}."
    )


def _course(model: Model, found: Sequence[Against], twin: Against | None) -> str:
    """Several models in one sentence, in the order in which they were given."""
    shown = [f"{other.name} {_mean(other, 'cka'):.3f}" for other in found]
    rest = f"; with its random-init twin {_mean(twin, 'cka'):.3f}" if twin else ""
    return f"Mean CKA over the levels of {model.name}: {', '.join(shown)}{rest}."


def _mean(other: Against | None, measure: str) -> float:
    values = [at.alike.own[measure].value for at in other.levels if measure in at.alike.own] if other else []
    return float(np.mean(values)) if values else float("nan")


def _named(at: AtLevel) -> str:
    return "the embedding" if at.level.layer is None else f"block {at.level.layer}"


def _contrast(study: "CompareStudy") -> str:
    assert study.contrast is not None
    return study.contrast.name if study.contrast.path is None else str(study.contrast.path)


def _write_down(ledger: Ledger, other: Against, prefix: str, control: str | None) -> None:
    for at in other.levels:
        place = {"layer": at.level.layer, "control": control, "split": other.name}
        flat = f"geometry/compare{prefix}/{at.level.label}"
        for name, value in at.alike.own.items():
            ledger.add(f"{flat}/{name}", value, name, **place)
        for name, value in at.alike.chance.items() if control is None else ():
            kind = "random_subspace" if name == "subspace" else "shuffled"
            ledger.add(f"{flat}/{kind}/{name}", value, name, **{**place, "control": kind})
        apart = distance(at.alike.own["procrustes"].value)
        ledger.add(f"{flat}/procrustes_distance", apart, "procrustes_distance", **place)
        if at.drift is not None:
            for name in ("cosine", "source", "frozen", "refitted", "loss", "random_p95"):
                ledger.add(f"{flat}/direction/{name}", getattr(at.drift, name), f"direction_{name}", **place)
    for name in MEASURES:
        ledger.add(f"geometry/compare{prefix}/{name}", _mean(other, name), f"mean_{name}", control=control)


def _model_table(found: Sequence[Against], twin: Against | None) -> Table:
    rows = []
    for other in [*found, *([twin] if twin else [])]:
        row: dict[str, object] = {"model": "random init" if other is twin else other.name}
        row |= {title: _mean(other, name) for name, title in MEASURES.items()}
        cosines = [at.drift.cosine for at in other.levels if at.drift is not None]
        rows.append(row | ({"direction cosine": float(np.nanmean(cosines))} if cosines else {}))
    return Table(title="Models", frame=pd.DataFrame(rows), caption="Means over levels; 1 for equal states.")


def _level_table(model: Model, other: Against, twin: Against | None, words: Words) -> Table:
    rows = [_level_row(at, twin.levels[i] if twin else None) for i, at in enumerate(other.levels)]
    caption = (
        f"{len(words.rows)} words, each form once. 1 for equal states. CKA and mutual neighbours with 95 % intervals "
        "over documents. Shuffled: rows of one model permuted (mean of draws); for the subspace, random ones. Twin: "
        f"{model.name} against itself with random weights."
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


def _drift_table(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> Table:
    rows = []
    for i, at in enumerate(other.levels):
        assert at.drift is not None
        own, blank = at.drift, twin.levels[i].drift if twin else None
        row = {"layer": at.level.tick, "cosine": own.cosine} | ({"cosine twin": blank.cosine} if blank else {})
        row |= {f"in {model.name}": own.source, "frozen": own.frozen, "refitted": own.refitted}
        row |= {"refitted − frozen": own.loss.value, "low": own.loss.ci_low, "high": own.loss.ci_high}
        rows.append(row | {"random p95": own.random_p95})
    caption = (
        f"Difference of means of the {_contrast(study)} training texts at their last token; AUROC on test. Frozen: "
        f"{model.name}'s direction on {other.name}'s states; refitted: found in {other.name}. Random: 95th percentile "
        "of random directions there, whichever sign. The interval of the difference is over groups of "
        "test texts, and missing where these are fewer than 8."
    )
    title = f"The {_contrast(study)} direction from {model.name} to {other.name}"
    return Table(title=title, frame=pd.DataFrame(rows), caption=caption)


def _level_picture(model: Model, other: Against, twin: Against | None) -> Picture:
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


def _models_picture(model: Model, found: Sequence[Against]) -> Picture:
    """One point a model, in the order in which they were given: a course of training, if they are checkpoints."""
    series = {title: [_mean(other, name) for other in found] for name, title in MEASURES.items()}
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


def _drift_picture(study: "CompareStudy", model: Model, other: Against) -> Picture:
    drifts = [at.drift for at in other.levels if at.drift is not None]
    series = {
        "cosine": [d.cosine for d in drifts],
        "AUROC, frozen": [d.frozen for d in drifts],
        "AUROC, refitted": [d.refitted for d in drifts],
        f"AUROC in {model.name}": [d.source for d in drifts],
        "AUROC, random p95": [d.random_p95 for d in drifts],
    }
    title = f"The {_contrast(study)} direction from {model.name} to {other.name}"
    figure = layer_curve([at.level.tick for at in other.levels], series, None, None, "", title, best="")
    caption = "Cosine of the direction found in both models, and what the first model's direction reads in the second."
    return Picture(title="Drift of a direction", figure=figure, caption=caption)


def _notes(model: Model, words: Words, found: Sequence[Against], twin: Against | None) -> list[str]:
    notes = [f"{model.name}: {model.checkpoint.note}."] if model.checkpoint.note else []
    if words.apart:
        notes.append(
            f"{words.apart} words of the texts were left out: a model has them in one token with something else."
        )
    for other in found:
        if other.same:
            notes.append(f"{model.name} and {other.name} have the same weights, tokenizer and settings.")
        if len(other.other_levels) != len(other.levels):
            notes.append(f"{other.name} has another number of blocks: levels are matched by their share of the depth.")
        if other.levels[0].drift is None:
            notes.append(f"No direction is compared with {other.name}: the width differs, or it was switched off.")
    if twin is None:
        notes.append("Switched off by setting: random-init twin.")
    return notes

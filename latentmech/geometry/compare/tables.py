"""The tables of a comparison: the models, the levels with their nulls, the drift of the direction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.geometry.compare.against import Against, AtLevel
from latentmech.geometry.compare.common_words import Words
from latentmech.geometry.compare.measures import MEASURES
from latentmech.model import Model
from latentmech.report import Table

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def tables(
    study: "CompareStudy", model: Model, words: Words, found: Sequence[Against], twin: Against | None
) -> dict[str, Table]:
    """All of them: one of the models, if there are several, and two of each."""
    shown = {"models": _models(found, twin)} if len(found) > 1 else {}
    for other in found:
        own = f"_{other.name}" if len(found) > 1 else ""
        shown[f"levels{own}"] = _levels(model, other, twin, words)
        if other.levels[0].drift is not None:
            shown[f"drift{own}"] = _drift(study, model, other, twin)
    return shown


def _models(found: Sequence[Against], twin: Against | None) -> Table:
    rows = []
    for other in [*found, *([twin] if twin else [])]:
        row: dict[str, object] = {"model": "random init" if other is twin else other.name}
        row |= {title: other.mean(name) for name, title in MEASURES.items()}
        cosines = [at.drift.cosine for at in other.levels if at.drift is not None]
        rows.append(row | ({"direction cosine": float(np.nanmean(cosines))} if cosines else {}))
    return Table(title="Models", frame=pd.DataFrame(rows), caption="Means over levels; 1 for equal states.")


def _levels(model: Model, other: Against, twin: Against | None, words: Words) -> Table:
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


def _drift(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> Table:
    rows = []
    for i, at in enumerate(other.levels):
        assert at.drift is not None
        own, blank = at.drift, twin.levels[i].drift if twin else None
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

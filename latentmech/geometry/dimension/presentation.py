"""From estimates to a `Report`: curves over the levels, their controls, the dependence on sample size, the answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.data import Examples
from latentmech.geometry.dimension.estimates import at_share
from latentmech.model import Level, Model
from latentmech.report import Curve, Ledger, Picture, Report, Table, layer_curve
from latentmech.statistics import Estimate
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.dimension.study import DimensionStudy

Found = Mapping[str, Sequence[Mapping[str, Estimate]]]  # who -> per level -> estimates

CONTROLS = {
    "coordinates_shuffled": "coordinates shuffled",
    "words_shuffled": "words shuffled",
    "random_init": "random init",
}
SHOWN_LEVELS = 5  # curves in the picture of sample sizes


def present(study: "DimensionStudy", found: Found, levels: Sequence[Level], model: Model, examples: Examples) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "dimension", "site": study.site})
    _numbers(found, levels, ledger)
    return Report(
        title=f"Dimension of {examples.source} in {model.name}",
        headline=headline(study, found, levels, model, unit_of(examples)),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables={
            "levels": _level_table(study, found, levels, unit_of(examples)),
            "scan": _scan_table(study, found, levels),
        },
        pictures=dict(_pictures(study, found, levels, model)),
        curves=tuple(_curves(study, found, levels)),
        notes=tuple(_notes(study, found, model, examples)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": examples.source, "fingerprint": fingerprint([examples.texts, examples.spans])},
        },
    )


def unit_of(examples: Examples) -> str:
    """What the rows are."""
    return "texts" if examples.spans is None else "words"


def headline(study: "DimensionStudy", found: Found, levels: Sequence[Level], model: Model, unit: str) -> str:
    """Where TwoNN is highest, what its null gives there, and whether the number has settled with sample size."""
    values = _values(found["model"], "two_nn")
    if not np.isfinite(values).any():
        return f"Too few distinct {unit} to estimate a dimension in {model.name}."
    top, mle = int(np.nanargmax(values)), _mle(study)
    own = found["model"][top]
    null = found["coordinates_shuffled"][top]["two_nn"].value
    said = (
        f"The {unit} fill at most {own['two_nn'].value:.1f} dimensions by TwoNN, at {levels[top].place} of "
        f"{model.name} (MLE {own[mle].value:.1f}, participation ratio {own['participation_ratio'].value:.1f}, of "
        f"{model.d_model}); with every coordinate shuffled the same estimator gives {null:.1f}, "
    )
    said += f"so it {'does' if own['two_nn'].ci_high < null else 'does not'} see structure. "
    others = [who for who in ("words_shuffled", "random_init") if who in found]
    values_there = [f"{CONTROLS[who]} {found[who][top]['two_nn'].value:.1f}" for who in others]
    said += f"There also: {', '.join(values_there)}. " if others else ""
    return said + _settled(study, own, unit)


def _settled(study: "DimensionStudy", own: Mapping[str, Estimate], unit: str) -> str:
    """Whether the smallest part of the rows gives the same dimension as all of them."""
    share = min(study.shares)
    part = own[at_share("two_nn", share)].value
    if share == 1 or not np.isfinite(part):
        return f"How it depends on the number of {unit} was not measured."
    change = own["two_nn"].value / part - 1
    verdict = "has settled" if abs(change) < 0.1 else "has not settled: it is a statement about this sample"
    return f"From {share:g} of the {unit} it is {part:.1f} ({change:+.0%} with all of them): the number {verdict}."


def _mle(study: "DimensionStudy") -> str:
    """The MLE at the middle one of the scales, which stands for all where there is room for one."""
    return f"mle_k{sorted(study.scales)[len(study.scales) // 2]}"


def _values(scores: Sequence[Mapping[str, Estimate]], name: str) -> list[float]:
    return [score[name].value for score in scores]


def _numbers(found: Found, levels: Sequence[Level], ledger: Ledger) -> None:
    for who, per_level in found.items():
        prefix = "geometry/dimension" + ("" if who == "model" else f"/{who}")
        for level, scores in zip(levels, per_level, strict=True):
            own = "embed" if level.layer is None else None
            control = own if who == "model" else who
            for name, estimate in scores.items():
                place = {"layer": level.layer, "control": control, "method": name.partition("@")[0]}
                ledger.add(f"{prefix}/{level.label}/{name}", estimate, name, **place)


def _level_table(study: "DimensionStudy", found: Found, levels: Sequence[Level], unit: str) -> Table:
    rows = []
    for i, level in enumerate(levels):
        own = found["model"][i]
        row: dict[str, object] = {"level": level.tick, "distinct": own["n"].value, "copies": own["duplicates"].value}
        row |= {"TwoNN": own["two_nn"].value, "low": own["two_nn"].ci_low, "high": own["two_nn"].ci_high}
        row |= {f"TwoNN {CONTROLS[who]}": found[who][i]["two_nn"].value for who in CONTROLS if who in found}
        row |= {_mle(study).replace("mle_k", "MLE k="): own[_mle(study)].value}
        row |= {"PR": own["participation_ratio"].value}
        row |= {f"PR {CONTROLS[who]}": found[who][i]["participation_ratio"].value for who in CONTROLS if who in found}
        rows.append(row | {"PR standardised": own["participation_ratio_standardised"].value})
    caption = (
        f"Means over {study.seeds} draws of up to {study.points} {unit}, low and high the smallest and the largest. "
        "Copies were removed before anything was estimated. PR: participation ratio; standardised: of the correlation "
        "matrix, where no coordinate can be large. Coordinates shuffled: the same margins with no relation, what the "
        f"estimator gives for independent coordinates from as many {unit}."
    )
    return Table(title="Dimension by level", frame=pd.DataFrame(rows), caption=caption)


def _scan_table(study: "DimensionStudy", found: Found, levels: Sequence[Level]) -> Table:
    shares = sorted(study.shares)
    rows = []
    for level, own in zip(levels, found["model"], strict=True):
        row: dict[str, object] = {"level": level.tick}
        row |= {f"TwoNN of {share:g}": own[at_share("two_nn", share)].value for share in shares}
        row |= {f"PR of {share:g}": own[at_share("participation_ratio", share)].value for share in shares}
        rows.append(row | {f"MLE k={k}": own[f"mle_k{k}"].value for k in sorted(study.scales)})
    caption = (
        "Estimates from parts of the draw (sample size) and from more neighbours (scale). Only a number that stays "
        "the same along a row is a property of the space; the rest is one of the sample or of the scale."
    )
    return Table(title="Sample size and scale", frame=pd.DataFrame(rows), caption=caption)


def _pictures(
    study: "DimensionStudy", found: Found, levels: Sequence[Level], model: Model
) -> Iterator[tuple[str, Picture]]:
    names = {
        "two_nn": "TwoNN",
        _mle(study): f"MLE, k = {_mle(study)[5:]}",
        "participation_ratio": "participation ratio",
    }
    ticks = [level.tick for level in levels]
    for name, title in names.items():
        series = {model.name: _values(found["model"], name)}
        series |= {text: _values(found[who], name) for who, text in CONTROLS.items() if who in found}
        everyone = {model.name: "model"} | {text: who for who, text in CONTROLS.items() if who in found}
        bands = {text: _range(found[who], name) for text, who in everyone.items()}
        figure = layer_curve(ticks, series, bands, None, f"dimension ({title})", f"{title} in {model.name}", best="")
        caption = f"{title} at every level with the range over draws, and of the controls."
        yield name.partition("_k")[0], Picture(title=title, figure=figure, caption=caption)
    if len(study.shares) > 1:
        yield "sample_size", _scan_picture(study, found, levels)


def _scan_picture(study: "DimensionStudy", found: Found, levels: Sequence[Level]) -> Picture:
    shares = sorted(study.shares)
    chosen = np.unique(np.linspace(0, len(levels) - 1, min(SHOWN_LEVELS, len(levels))).round().astype(int)).tolist()
    series = {levels[i].place: [found["model"][i][at_share("two_nn", share)].value for share in shares] for i in chosen}
    names = [f"{share:g}" for share in shares]
    figure = layer_curve(
        names, series, None, None, "dimension (TwoNN)", "TwoNN and sample size", xlabel="share of the draw", best=""
    )
    caption = "TwoNN estimated from parts of the draw, at a few levels. A flat line can be believed."
    return Picture(title="Sample size", figure=figure, caption=caption)


def _range(scores: Sequence[Mapping[str, Estimate]], name: str) -> tuple[list[float], list[float]]:
    return [score[name].ci_low for score in scores], [score[name].ci_high for score in scores]


def _curves(study: "DimensionStudy", found: Found, levels: Sequence[Level]) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1."""
    depth = tuple(0.0 if level.layer is None else level.layer + 1.0 for level in levels)
    for who, scores in found.items():
        prefix = "geometry/dimension" + ("" if who == "model" else f"/{who}")
        for name in ("two_nn", _mle(study), "participation_ratio"):
            values = tuple(_values(scores, name))
            yield Curve(name=f"{prefix}/{name}", axis="geometry/depth", steps=depth, values=values)


def _notes(study: "DimensionStudy", found: Found, model: Model, examples: Examples) -> Iterator[str]:
    yield from examples.notes
    if model.checkpoint.note:
        yield f"{model.name}: {model.checkpoint.note}."
    yield "The first position of every text is left out: its state is a sink with a norm of its own."
    copies = _values(found["model"], "duplicates")
    yield f"Copies among the {unit_of(examples)} of a draw: {min(copies):.0f} to {max(copies):.0f}, by level."
    yield (
        "TwoNN and MLE fall short of high dimensions at any affordable sample size; compare levels and controls, "
        "not absolute numbers."
    )
    off = {"words shuffled": not study.shuffle_words, "random-init twin": not study.random_init}
    yield from (f"Switched off by setting: {name}." for name, is_off in off.items() if is_off)

"""What a probe study says: numbers, tables, pictures, sentences, methods, and the probe itself."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from latentmech.data import said_of_copies
from latentmech.model import Model
from latentmech.probe.findings import CONTROL, NAMES, SHUFFLED, ProbedLevels, ProbeFindings
from latentmech.report import (
    Ledger,
    Method,
    Picture,
    Report,
    Table,
    account,
    band,
    by_depth,
    confusion,
    layer_curve,
    values,
)
from latentmech.statistics import FEWEST, Estimate, verdict
from latentmech.storage import plain

TITLES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "f1": "F1", "auroc": "AUROC"}


def account_of(study: object, found: ProbeFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "probe", "task": found.task, "site": found.site, "method": found.method})
    numbers(found, ledger)
    best = found.own.chosen
    return account(
        study, model, ledger,
        title=f"{found.task} in {model.name}",
        headline=headline(found),
        tables={"layers": layer_table(found), "test": table_on_test(found), "classes": class_table(found)},
        pictures=pictures_of(found),
        curves=by_depth("probe/depth", [fit.level for fit in found.own.fits], curves(found)),
        data=found.examples,
        groups="documents",
        notes=[*found.problem.units.notes, *notes(found)],
        methods=methods(found),
        artifacts={f"probes/{best.level.label}.safetensors": (best.probe.tensors(), card(found, model))},
        provenance={"best_layer": best.level.layer},
    )  # fmt: skip


def numbers(found: ProbeFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row."""
    _levels(found, found.own, ledger, "probe")
    if found.twin:
        _levels(found, found.twin, ledger, "probe/random_init", "random_init")
    _controls(found, ledger)
    best = found.own.chosen.columns
    for who, one in found.test.items():
        name, place = ("probe/test", best) if who == "probe" else (f"probe/{who}/test", {"control": who})
        _scores(ledger, name, one.scores, **place, split="test")
    for who, one in found.baselines_dev.items():
        _scores(ledger, f"probe/{who}/dev", one.scores, control=who, split="dev")
    for name, score in found.subsets.items():
        ledger.add(f"probe/test/{name}/accuracy", score, **best, split=f"test_{name}")
    for lead in found.leads:
        ledger.add(f"probe/lead/{lead.rival}", lead.difference, "lead", **best, control=lead.rival, split="test")
    if found.selectivity:
        ledger.add("probe/selectivity", found.selectivity, **best, split="test")
    ledger.add("probe/best_layer", found.own.chosen.level.layer or 0, split="dev")
    ledger.add("probe/best_strength", found.own.chosen.strength, split="dev")
    if found.equals is not None:
        ledger.add("probe/not_worse/count", len(found.equals), "not_worse_count", split="dev")
    for name, flags in (("exact", found.duplicates.exact), ("near", found.duplicates.near)):
        ledger.add(f"probe/duplicates/{name}", int(flags.sum()), f"duplicates_{name}", split="test")


def _levels(
    found: ProbeFindings, levels: ProbedLevels, ledger: Ledger, prefix: str, control: str | None = None
) -> None:
    """Dev scores and code lengths along the levels."""
    for i, (fit, one) in enumerate(zip(levels.fits, levels.dev, strict=True)):
        name, who = f"{prefix}/{fit.level.label}", control or ("embed" if fit.level.layer is None else None)
        _scores(ledger, f"{name}/dev", one.scores, **fit.columns, split="dev", control=who)
        if levels.coded:
            _scores(ledger, name, _code(found, fit.code_bits), **fit.columns, split="train", control=control)
        if not control and found.equals is not None:
            ledger.add(f"{name}/not_worse", i in found.equals, **fit.columns, split="dev")
    if control:
        ledger.add(f"{prefix}/best_layer", levels.chosen.level.layer or 0, control=control, split="dev")


def _controls(found: ProbeFindings, ledger: Ledger) -> None:
    """Labels that mean nothing: on dev along the levels, on test where they are read."""
    fits = found.own.fits
    for seed, (kind, one) in enumerate(found.controls):
        name = f"probe/{kind}/seed_{seed}"
        columns: dict[str, Any] = {"control": kind, "seed": seed}
        for fit in fits:
            at = columns | fit.columns
            ledger.add(f"{name}/{fit.level.label}/dev/accuracy", fit.control_dev[seed], **at, split="dev")
        ledger.add(f"{name}/test/accuracy", one.scores["accuracy"], **columns, split="test")
    for kind in found.kinds:
        name, who = f"probe/{kind}", f"{kind}_mean"
        for fit, score in zip(fits, found.control_dev(kind), strict=True):
            ledger.add(f"{name}/{fit.level.label}/dev/accuracy", score, **fit.columns, control=who, split="dev")
        ledger.add(f"{name}/test/accuracy", found.control(kind)["accuracy"], control=who, split="test")
    if CONTROL in found.kinds:
        for fit, gap in zip(fits, found.selectivity_dev(), strict=True):
            ledger.add(f"probe/{fit.level.label}/selectivity", gap, **fit.columns, split="dev")
    if found.exchanges:
        ledger.add(f"probe/{SHUFFLED}/p", found.exchanges[2], control=SHUFFLED, split="test")
    for who, bits in found.codes.items():
        _scores(ledger, f"probe/{who}", _code(found, bits), control=who, split="train")


def _scores(ledger: Ledger, name: str, scores: Mapping[str, Estimate | float | int], **columns: Any) -> None:
    for metric, score in scores.items():
        ledger.add(f"{name}/{metric}", score, **columns)


def _code(found: ProbeFindings, bits: float) -> dict[str, float]:
    return {"code_kbits": bits / 1000, "compression": found.compression(bits)}


def layer_table(found: ProbeFindings) -> Table:
    """One row per level, on dev; the columns of controls that were switched off are left out."""
    own, metric = found.own, TITLES[found.metric]
    marks = ["≈" if i in (found.equals or ()) else "" for i in range(len(own.fits))]
    marks[own.best] = "best"
    low, high = band(own.on_dev(found.metric))
    columns: dict[str, object] = {"layer": [fit.level.tick for fit in own.fits], "mark": marks}
    columns |= {metric: values(own.on_dev(found.metric)), "low": low, "high": high}
    if found.metric != "accuracy":
        columns |= {TITLES[name]: values(own.on_dev(name)) for name in ("accuracy", "f1")}
    if found.twin:
        columns["random init"] = values(found.twin.on_dev(found.metric))
    for kind in found.kinds:
        columns[NAMES[kind]] = values(found.control_dev(kind))
        columns |= {"selectivity": found.selectivity_dev()} if kind == CONTROL else {}
    if own.coded:
        columns["code kbit"] = [fit.code_bits / 1000 for fit in own.fits]
        columns["compression"] = [found.compression(fit.code_bits) for fit in own.fits]
    said = (
        f"Dev {metric} by level with its 95 % interval over documents ({found.documents['dev']}); it chose the block."
    )
    if found.equals is not None:
        said += " ≈ marks levels not shown to be worse than the best (a 95 % model confidence set)."
    return Table(title="Layer by layer, on dev", frame=pd.DataFrame(columns), caption=said)


def table_on_test(found: ProbeFindings) -> Table:
    """The probe on test beside everything that it has to beat, and how far it is ahead of each."""
    ahead = {lead.rival: lead.difference.cells("ahead", "from", "to") for lead in found.leads}
    shown = {who: (NAMES[who], one.scores) for who, one in found.test.items()}
    for kind, n in found.kinds.items():
        shown[kind] = f"{NAMES[kind]} (mean of {n})" if n > 1 else NAMES[kind], found.control(kind)
    shown |= {name: (f"probe {name.replace('_', ' ')}", {"accuracy": s}) for name, s in found.subsets.items()}
    rows = [
        {"answers by": title} | _cells(found, scores) | ahead.get(who, {}) for who, (title, scores) in shown.items()
    ]
    caption = (
        f"Test, read once, at the block chosen on dev. Low and high: 95 % over documents ({found.documents['test']}); "
        "of labels that mean nothing, the smallest and the largest of n labellings. Ahead: the probe's "
        f"{TITLES[found.compared]} minus that of the row, paired, with its 95 % interval."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def _cells(found: ProbeFindings, scores: Mapping[str, Estimate]) -> dict[str, object]:
    """One column for each score, with the ends of the one that is compared by, and what it is over."""
    cells: dict[str, object] = {}
    for metric, score in scores.items():
        title = TITLES[metric]
        cells |= score.cells(title, "low", "high") if metric == found.compared else {title: score.value}
    return cells | {"n": scores["accuracy"].n}


def class_table(found: ProbeFindings) -> Table:
    """Precision, recall and F1 of every class on test, with F1 of the look-up or the bag of words beside."""
    counts, beside = found.confusion("probe"), "lookup" if "lookup" in found.test else "bag_of_words"
    frame = pd.DataFrame({"class": found.problem.classes, "n": counts.sum(1)})
    hits = counts.diagonal()
    frame["precision"] = hits / np.maximum(counts.sum(0), 1)
    frame["recall"] = hits / np.maximum(counts.sum(1), 1)
    for name, table in (("f1", counts), (f"f1 {beside.replace('_', ' ')}", found.confusion(beside))):
        frame[name] = 2 * table.diagonal() / np.maximum(table.sum(0) + table.sum(1), 1)
    return Table(title="Class by class, on test", frame=frame, caption="The probe at the best block.")


def pictures_of(found: ProbeFindings) -> dict[str, Picture]:
    """The probe over the levels, with the controls that are scored alike, and what was taken for what on test."""
    metric, ticks = found.metric, [fit.level.tick for fit in found.own.fits]
    series = {found.model: values(found.own.on_dev(metric))}
    bands = {found.model: band(found.own.on_dev(metric))}
    if found.twin:
        bands["random init"] = band(found.twin.on_dev(metric))
    for kind in found.kinds if metric == "accuracy" else ():
        bands[NAMES[kind]] = band(found.control_dev(kind))
    lines = {NAMES[who]: one.scores[found.compared].value for who, one in found.baselines_dev.items()}
    for hidden in ("lookup", "always_positive"):
        lines.pop(NAMES[hidden], None)
    title, best = f"{found.task} in {found.model}", ticks[found.own.best]
    figure = layer_curve(ticks, series, bands, lines, f"dev {TITLES[metric]}", title, best=best)
    alike = "" if metric == "accuracy" else " (their balanced accuracy: what AUROC is for answers without a margin)"
    caption = (
        f"Dev {TITLES[metric]} of the probe at every level, with 95 % intervals over documents for the model and its "
        f"random-init twin, and the range over seeds of the other controls. Dashed: answers without the model{alike}."
    )
    curve = Picture(title="Layer curve", figure=figure, caption=caption)
    figure = confusion(found.confusion("probe"), list(found.problem.classes), "Confusion on test, best block")
    caption = "Share of each true class (row) that was answered as each class."
    return {"layer_curve": curve, "confusion": Picture(title="Confusion", figure=figure, caption=caption)}


def curves(found: ProbeFindings) -> dict[str, list[float]]:
    """What trackers draw against depth."""
    drawn = {f"probe/dev/{found.metric}": values(found.own.on_dev(found.metric))}
    if found.twin:
        drawn[f"probe/random_init/dev/{found.metric}"] = values(found.twin.on_dev(found.metric))
    drawn |= {f"probe/{kind}/dev/accuracy": values(found.control_dev(kind)) for kind in found.kinds}
    if found.own.coded:
        drawn["probe/compression"] = [found.compression(fit.code_bits) for fit in found.own.fits]
    return drawn


def headline(found: ProbeFindings) -> str:
    """The answer, whether it beats every rival, and what its controls come to."""
    score, best = found.test["probe"].scores[found.metric], found.own.chosen.level
    said = (
        f"A {found.method.replace('_', '-')} probe reads {found.task} from {best.place} of {found.model} with test "
        f"{TITLES[found.metric]} {score:.3f}. {_verdict(found)}"
    )
    if found.selectivity:
        said += f" Its selectivity is {found.selectivity:+.3f}."
    if found.exchanges:
        reached, n, p = found.exchanges
        said += f" {reached} of {n} exchanges of the labels reach its score (p = {p:.3f})."
    return said


def _verdict(found: ProbeFindings) -> str:
    if found.untold:
        return f"Whether it beats anything cannot be told: {found.untold}."
    leads = [replace(lead, rival=NAMES[lead.rival]) for lead in found.leads]
    own = found.test["probe"].scores[found.compared]
    where = "It" if found.compared == found.metric else f"In {TITLES[found.compared]} ({own.value:.3f}) it"
    return f"{where} {verdict(leads)}."


def notes(found: ProbeFindings) -> Iterator[str]:
    """What a reader must know before believing the table."""
    yield said_of_copies(found.duplicates, found.examples)
    if found.documents["test"] < 2:
        yield "Test is a single document: no score on it has an interval, and nothing can be shown to beat anything."
    if len(set(found.test["probe"].predicted.tolist())) == 1:
        yield f"The probe gives every {found.problem.unit} of test the same answer."
    if found.equals is None:
        seen = f"dev has {found.documents['dev']} documents; expected {FEWEST} or more, and two classes"
        yield f"Which levels are as good as the best cannot be told: {seen}."
    if found.own.coded:
        factors = {"the probe": found.own.chosen.code_bits} | {NAMES[who]: bits for who, bits in found.codes.items()}
        said = "; ".join(f"{who} {found.compression(bits):.2f}" for who, bits in factors.items())
        yield f"By how much labels are compressed at the best block (online code length): {said}."
    yield from found.undone


def methods(found: ProbeFindings) -> Iterator[Method]:
    """What was tested, how often, against what."""
    parts = {split: len(found.problem.index[split]) for split in found.problem.index}
    counts = ", ".join(f"{n:,} in {split} (documents: {found.documents[split]})" for split, n in parts.items())
    by, levels = TITLES[found.metric], len(found.own.fits)
    yield Method(
        f"A linear probe ({found.method.replace('_', '-')}) was trained for {found.task} at {levels} levels of "
        f"{found.model}, on the {found.site} of {found.problem.unit}s: {counts}. Among up to {found.path} penalties a "
        f"level, and among the blocks, the one with the highest {by} on dev was chosen. Test was read once, at that "
        "block, so that no score on it is the best of several."
    )
    if found.equals is not None:
        said = f"Levels not shown to be worse than the best are a 95 % model confidence set by {by} on dev."
        yield Method(said, ("hansen2011",))
    if not found.untold:
        yield Method(
            f"The probe beats its rivals if it is ahead of every one of {len(found.leads)} in {TITLES[found.compared]} "
            "on test: the whole 95 % interval of the paired difference lies above 0. All have to be beaten, so their "
            f"number needs no correction. They are: {'; '.join(NAMES[lead.rival] for lead in found.leads)}.",
            ("berger1982",),
        )
    if CONTROL in found.kinds:
        yield Method(
            f"Control tasks ({found.kinds[CONTROL]}) give every word type a class at random, in the proportions of the "
            "task. Selectivity is the probe's accuracy minus their mean, paired.",
            ("hewitt2019",),
        )
    if SHUFFLED in found.kinds:
        p = "The p-value counts the exchange that was seen." if found.exchanges else "That is too few for a p-value."
        yield Method(
            f"Labels were exchanged among {found.problem.labelled} in all splits together (exchanges: "
            f"{found.kinds[SHUFFLED]}), and probes trained anew with the penalty of their level; dev chose the block "
            f"again, by accuracy. {p}",
            ("phipson2010",),
        )
    if found.own.coded:
        yield Method(
            "The online code length is what the training labels cost when each block of them is sent with the "
            "probabilities of a probe trained on the blocks before.",
            ("voita2020",),
        )


def card(found: ProbeFindings, model: Model) -> dict[str, object]:
    """What the best block's probe is a probe of."""
    best = found.own.chosen
    return best.probe.card() | {
        "kind": "linear_probe", "task": found.task, "method": found.method, "strength": best.strength,
        "site": found.site, "position": found.position, "model": model.name, "model_identity": model.identity,
        "weights": plain(model.weights),
        "test": {metric: vars(score) for metric, score in found.test["probe"].scores.items()},
    }  # fmt: skip

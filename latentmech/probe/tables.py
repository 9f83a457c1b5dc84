"""The tables and pictures of a probe study."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from latentmech.probe.findings import CONTROL, NAMES, ProbeFindings
from latentmech.report import Picture, Table, band, confusion, layer_curve, values
from latentmech.statistics import Estimate

TITLES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "f1": "F1", "auroc": "AUROC"}


def tables_of(found: ProbeFindings) -> dict[str, Table]:
    """All of them."""
    return {"layers": layer_table(found), "test": table_on_test(found), "classes": class_table(found)}


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


def layer_picture(found: ProbeFindings) -> Picture:
    """The probe over the levels, with the controls that are scored alike."""
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
    return Picture(title="Layer curve", figure=figure, caption=caption)


def pictures_of(found: ProbeFindings) -> dict[str, Picture]:
    """The curve over the levels, and what was taken for what on test."""
    figure = confusion(found.confusion("probe"), list(found.problem.classes), "Confusion on test, best block")
    caption = "Share of each true class (row) that was answered as each class."
    return {
        "layer_curve": layer_picture(found),
        "confusion": Picture(title="Confusion", figure=figure, caption=caption),
    }

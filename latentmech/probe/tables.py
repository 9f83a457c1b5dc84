"""The tables of a probe study, as a reader sees them."""

import numpy as np
import pandas as pd

from latentmech.probe.findings import Findings, Scores
from latentmech.probe.numbers import compression, mean_control
from latentmech.report import Table

NAMES = {
    "probe": "probe, best block",
    "embed": "probe, embedding",
    "random_init": "probe, random-init twin",
    "control_task": "control task (mean of seeds)",
    "shuffled": "shuffled labels",
    "majority": "majority class",
    "lookup": "commonest tag of the word",
    "lookup_folded": "commonest tag, or in lower case",
    "lookup_capitalised": "look-up and capital letter",
    "bag_of_words": "bag of words, naive Bayes",
}


def layer_table(findings: Findings) -> Table:
    """One row per level, on dev."""
    metric = findings.metric
    rows = []
    for index, (fit, scores) in enumerate(zip(findings.fits, findings.dev, strict=True)):
        score = scores[metric]
        mark = "best" if index == findings.best else "≈" if index in findings.equals else ""
        row: dict[str, object] = {"layer": fit.level.tick, "mark": mark, metric: score.value}
        row |= {"low": score.ci_low, "high": score.ci_high}
        if "auroc" in scores:
            row["auroc"] = scores["auroc"].value
        row |= _controls(findings, index)
        rows.append(row)
    caption = (
        f"Dev {metric} by level with its 95 % interval over documents; the block was chosen here. "
        "≈ marks levels not shown to be worse than the best (paired, one-sided 95 %)."
    )
    return Table(title="Layer by layer, on dev", frame=pd.DataFrame(rows), caption=caption)


def _controls(findings: Findings, index: int) -> dict[str, object]:
    """The control columns of one level; those that were switched off are left out."""
    fit = findings.fits[index]
    columns: dict[str, object] = {}
    if findings.twin_dev:
        columns["random init"] = findings.twin_dev[index][findings.metric].value
    accuracy = findings.dev[index]["accuracy"].value
    control = mean_control(fit, findings, "control_task")
    if np.isfinite(control):
        columns |= {"control task": control, "selectivity": accuracy - control}
    if np.isfinite(shuffled := mean_control(fit, findings, "shuffled")):
        columns["shuffled"] = shuffled
    if np.isfinite(fit.code_bits):
        columns |= {"code kbit": fit.code_bits / 1000, "compression": compression(fit, findings)}
    return columns


def table_on_test(findings: Findings) -> Table:
    """The probe on test beside everything that it has to beat."""
    rows = [_row(NAMES[name], answers.scores) for name, answers in findings.test.items()]
    for name in dict.fromkeys(name for name, _ in findings.controls):
        values = [score.value for n, score in findings.controls if n == name]
        spread = {"accuracy": float(np.mean(values)), "low": min(values), "high": max(values)}
        rows.append({"answers by": NAMES[name], **spread, "n": findings.controls[0][1].n})
    for name, scores in findings.subsets.items():
        rows.append(_row(f"probe, {name.replace('_', ' ')}", scores))
    caption = (
        "Test, read once, at the block chosen on dev. Intervals are 95 %, over documents; for control tasks and "
        "shuffles they are the smallest and the largest seed."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def _row(name: str, scores: Scores) -> dict[str, object]:
    accuracy = scores["accuracy"]
    row: dict[str, object] = {
        "answers by": name,
        "accuracy": accuracy.value,
        "low": accuracy.ci_low,
        "high": accuracy.ci_high,
    }
    for metric in ("f1", "auroc"):
        if metric in scores:
            row |= {metric: scores[metric].value, f"{metric} low": scores[metric].ci_low}
            row[f"{metric} high"] = scores[metric].ci_high
    return row | {"n": accuracy.n}


def class_table(findings: Findings) -> Table:
    """Precision, recall and F1 of every class on test, with the look-up's F1 beside."""
    counts = confusion_counts(findings, "probe")
    baseline = "lookup" if "lookup" in findings.test else "bag_of_words"
    frame = pd.DataFrame({"class": findings.problem.classes, "n": counts.sum(1)})
    hits = counts.diagonal()
    frame["precision"] = hits / np.maximum(counts.sum(0), 1)
    frame["recall"] = hits / np.maximum(counts.sum(1), 1)
    frame["f1"] = _f1(counts)
    frame[f"f1 {baseline.replace('_', ' ')}"] = _f1(confusion_counts(findings, baseline))
    return Table(title="Class by class, on test", frame=frame, caption="The probe at the best block.")


def confusion_counts(findings: Findings, who: str) -> np.ndarray:
    """How often each class (row) was answered as each class (column) on test."""
    n = findings.problem.n_classes
    truth = findings.problem.of("test", findings.problem.labels)
    return np.bincount(truth * n + findings.test[who].predicted, minlength=n * n).reshape(n, n)


def _f1(counts: np.ndarray) -> np.ndarray:
    return 2 * counts.diagonal() / np.maximum(counts.sum(0) + counts.sum(1), 1)

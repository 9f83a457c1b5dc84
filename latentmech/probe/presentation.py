"""From findings to a `Report`: the answer in words, the pictures, the notes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.data import Duplicates, Examples
from latentmech.model import Model
from latentmech.probe.findings import Findings, Scores
from latentmech.probe.numbers import compression, mean_control, numbers
from latentmech.probe.tables import NAMES, class_table, confusion_counts, layer_table, table_on_test
from latentmech.report import Curve, Ledger, Picture, Report, confusion, layer_curve
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.probe.study import ProbeStudy


def present(
    study: "ProbeStudy", findings: Findings, model: Model, examples: Examples, duplicates: Duplicates
) -> Report:
    """Everything a reader gets."""
    name = study.asked().name
    ledger = Ledger({"study": "probe", "task": name, "site": study.site, "method": study.method})
    numbers(findings, duplicates, ledger)
    return Report(
        title=f"{name} in {model.name}",
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables={"layers": layer_table(findings), "test": table_on_test(findings), "classes": class_table(findings)},
        pictures={"layer_curve": _layer_picture(name, findings, model), "confusion": _confusion_picture(findings)},
        curves=tuple(_curves(findings)),
        notes=tuple(_notes(study, findings, model, examples, duplicates)),
        artifacts=_artifacts(study, findings, model),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": examples.source, "fingerprint": fingerprint([examples.texts, examples.splits])},
            "best_layer": findings.fits[findings.best].level.layer,
        },
    )


def headline(study: "ProbeStudy", findings: Findings, model: Model) -> str:
    """The answer in two sentences."""
    metric, best = findings.metric, findings.fits[findings.best]
    score = findings.test["probe"].scores[metric]
    rivals = {who: a.scores[metric].value for who, a in findings.test.items() if who not in ("probe", "majority")}
    shown = ", ".join(f"{NAMES[who]} {value:.3f}" for who, value in rivals.items())
    strongest = max(rivals, key=lambda who: rivals[who])
    verdict = "beats" if score.ci_low > rivals[strongest] else "does not clearly beat"
    return (
        f"A {study.method.replace('_', '-')} probe reads {study.asked().name} from block {best.level.layer} of "
        f"{model.name} with test {metric} {score.value:.3f} [{score.ci_low:.3f}, {score.ci_high:.3f}]. "
        f"It {verdict} the strongest rival ({NAMES[strongest]}); {shown}."
    )


def _layer_picture(name: str, findings: Findings, model: Model) -> Picture:
    metric, ticks = findings.metric, [fit.level.tick for fit in findings.fits]
    series = {model.name: [scores[metric].value for scores in findings.dev]}
    bands = {model.name: _interval(findings.dev, metric)}
    if findings.twin_dev:
        bands["random init"] = _interval(findings.twin_dev, metric)
    for control in dict.fromkeys(n for n, _ in findings.controls) if metric == "accuracy" else ():
        bands[control.replace("_", " ")] = _seed_range(findings, control)
    lines = {NAMES[who]: scores[metric].value for who, scores in findings.baselines_dev.items() if who != "lookup"}
    title, best = f"{name} in {model.name}", ticks[findings.best]
    figure = layer_curve(ticks, series, bands, lines, f"dev {metric}", title, best=best)
    caption = (
        f"Dev {metric} of the probe at every level, with 95 % intervals over documents for the model and its "
        "random-init twin, and the range over seeds of the other controls. Dashed: answers without the model."
    )
    return Picture(title="Layer curve", figure=figure, caption=caption)


def _interval(scores: Sequence[Scores], metric: str) -> tuple[list[float], list[float]]:
    estimates = [s[metric] for s in scores]
    return [e.ci_low for e in estimates], [e.ci_high for e in estimates]


def _seed_range(findings: Findings, control: str) -> tuple[list[float], list[float]]:
    picked = [i for i, (name, _) in enumerate(findings.controls) if name == control]
    values = np.array([[fit.control_dev[i] for i in picked] for fit in findings.fits])
    return values.min(1).tolist(), values.max(1).tolist()


def _confusion_picture(findings: Findings) -> Picture:
    figure = confusion(
        confusion_counts(findings, "probe"), list(findings.problem.classes), "Confusion on test, best block"
    )
    return Picture(
        title="Confusion", figure=figure, caption="Share of each true class (row) that was answered as each class."
    )


def _curves(findings: Findings) -> list[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1."""
    depth = tuple(0.0 if f.level.layer is None else f.level.layer + 1.0 for f in findings.fits)
    metric = findings.metric
    values = {f"probe/dev/{metric}": [s[metric].value for s in findings.dev]}
    if findings.twin_dev:
        values[f"probe/random_init/dev/{metric}"] = [s[metric].value for s in findings.twin_dev]
    for control in dict.fromkeys(name for name, _ in findings.controls):
        values[f"probe/{control}/dev/accuracy"] = [mean_control(f, findings, control) for f in findings.fits]
    if np.isfinite(findings.fits[0].code_bits):
        values["probe/compression"] = [compression(f, findings) for f in findings.fits]
    return [Curve(name=n, axis="probe/depth", steps=depth, values=tuple(v)) for n, v in values.items()]


def _notes(
    study: "ProbeStudy", findings: Findings, model: Model, examples: Examples, duplicates: Duplicates
) -> list[str]:
    """What a reader must know before believing the table."""
    notes = [*examples.notes, *findings.problem.units.notes]
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    exact, near = int(duplicates.exact.sum()), int(duplicates.near.sum())
    ours = "in the splits that came with the data" if examples.own_splits else "after splitting by document"
    notes.append(f"{exact} test texts stand in train or dev word for word, {near} more nearly so, {ours}.")
    off = {
        "random-init twin": not study.random_init,
        "control task": study.control_seeds == 0,
        "shuffled labels": study.shuffles == 0,
        "online code length": not study.code_length,
    }
    notes += [f"Switched off by setting: {name}." for name, is_off in off.items() if is_off]
    if study.code_length and study.method != "logistic":
        notes.append(f"No online code length: {study.method} gives no probabilities.")
    if findings.problem.units.word[0] < 0 and study.control_seeds:
        notes.append("No control task: it needs words that recur, and here whole texts are labelled.")
    return notes


def _artifacts(study: "ProbeStudy", findings: Findings, model: Model) -> dict[str, tuple[dict, dict]]:
    """The best block's probe, with a card that says what it is a probe of."""
    best = findings.fits[findings.best]
    card = best.probe.card() | {
        "kind": "linear_probe",
        "task": study.asked().name,
        "method": study.method,
        "strength": best.strength,
        "site": study.site,
        "position": study.position,
        "model": model.name,
        "model_identity": model.identity,
        "test": {metric: vars(score) for metric, score in findings.test["probe"].scores.items()},
    }
    return {f"probes/{best.level.label}.safetensors": (best.probe.tensors(), card)}

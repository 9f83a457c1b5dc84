"""Every number of a probe study, by its flat name and as a tidy row."""

import numpy as np

from latentmech.data import Duplicates
from latentmech.probe.findings import Findings, Scores
from latentmech.probe.fitting import LevelFit
from latentmech.probe.online_code import uniform_code
from latentmech.report import Ledger
from latentmech.statistics import Estimate


def numbers(findings: Findings, duplicates: Duplicates, ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    _curve(findings, ledger)
    _controls_along_the_curve(findings, ledger)
    _twin(findings, ledger)
    _test(findings, ledger)
    _choice(findings, ledger)
    _selectivity(findings, ledger)
    for name, flags in (("exact", duplicates.exact), ("near", duplicates.near)):
        ledger.add(f"probe/duplicates/{name}", int(flags.sum()), f"duplicates_{name}", split="test")


def mean_control(fit: LevelFit, findings: Findings, name: str) -> float:
    """Dev accuracy at one level, averaged over the labellings called `name`; NaN if there is none."""
    values = [value for (n, _), value in zip(findings.controls, fit.control_dev, strict=True) if n == name]
    return float(np.mean(values)) if values else float("nan")


def compression(fit: LevelFit, findings: Findings) -> float:
    """Uniform code length divided by the online code length."""
    return uniform_code(len(findings.problem.index["train"]), findings.problem.n_classes) / fit.code_bits


def _curve(findings: Findings, ledger: Ledger) -> None:
    for fit, scores in zip(findings.fits, findings.dev, strict=True):
        _scores(ledger, f"probe/{fit.level.label}/dev", scores, **_at(fit), split="dev", control=_embed(fit))
        if np.isfinite(fit.code_bits):
            place = {**_at(fit), "split": "train"}
            ledger.add(f"probe/{fit.level.label}/code_kbits", fit.code_bits / 1000, "code_kbits", **place)
            name = f"probe/{fit.level.label}/compression"
            ledger.add(name, compression(fit, findings), "compression", **place)


def _controls_along_the_curve(findings: Findings, ledger: Ledger) -> None:
    for fit in findings.fits:
        for seed, ((name, _), value) in enumerate(zip(findings.controls, fit.control_dev, strict=True)):
            flat = f"probe/{name}/seed_{seed}/{fit.level.label}/dev/accuracy"
            ledger.add(flat, value, "accuracy", **_at(fit), control=name, split="dev", seed=seed)
        for name in dict.fromkeys(name for name, _ in findings.controls):
            flat, value = f"probe/{name}/{fit.level.label}/dev/accuracy", mean_control(fit, findings, name)
            ledger.add(flat, value, "accuracy", **_at(fit), control=f"{name}_mean", split="dev")


def _twin(findings: Findings, ledger: Ledger) -> None:
    for fit, scores in zip(findings.twin, findings.twin_dev, strict=True):
        place = {**_at(fit), "split": "dev", "control": "random_init"}
        _scores(ledger, f"probe/random_init/{fit.level.label}/dev", scores, **place)
    if findings.twin:
        layer = findings.twin[findings.twin_best].level.layer
        ledger.add("probe/random_init/best_layer", layer or 0, "best_layer", control="random_init", split="dev")


def _test(findings: Findings, ledger: Ledger) -> None:
    best = findings.fits[findings.best]
    for name, answers in findings.test.items():
        place: dict[str, object] = {"split": "test"}
        place |= _at(best) if name == "probe" else {"control": name}
        flat = "probe/test" if name == "probe" else f"probe/{name}/test"
        _scores(ledger, flat, answers.scores, **place)
    for name, scores in findings.baselines_dev.items():
        _scores(ledger, f"probe/{name}/dev", scores, split="dev", control=name)
    for name, scores in findings.subsets.items():
        _scores(ledger, f"probe/test/{name}", scores, **_at(best), split=f"test_{name}")


def _choice(findings: Findings, ledger: Ledger) -> None:
    best = findings.fits[findings.best]
    layers = [findings.fits[i].level.layer for i in findings.equals]
    ledger.add("probe/best_layer", best.level.layer or 0, "best_layer", split="dev")
    ledger.add("probe/best_strength", best.strength, "best_strength", split="dev")
    ledger.add("probe/not_worse/count", len(layers), "not_worse_count", split="dev")
    for fit, index in zip(findings.fits, range(len(findings.fits)), strict=True):
        inside = float(index in findings.equals)
        ledger.add(f"probe/{fit.level.label}/not_worse", inside, "not_worse", **_at(fit), split="dev")


def _selectivity(findings: Findings, ledger: Ledger) -> None:
    """Accuracy minus the control tasks' accuracy: on dev along the curve, on test at the best block."""
    by_name: dict[str, list[float]] = {}
    for seed, (name, score) in enumerate(findings.controls):
        flat = f"probe/{name}/seed_{seed}/test/accuracy"
        ledger.add(flat, score, "accuracy", control=name, split="test", seed=seed)
        by_name.setdefault(name, []).append(score.value)
    for name, values in by_name.items():
        spread = Estimate(float(np.mean(values)), min(values), max(values), len(values))
        ledger.add(f"probe/{name}/test/accuracy", spread, "accuracy", control=f"{name}_mean", split="test")
    if "control_task" in by_name:
        gap = findings.test["probe"].scores["accuracy"].value - float(np.mean(by_name["control_task"]))
        ledger.add("probe/selectivity", gap, "selectivity", **_at(findings.fits[findings.best]), split="test")
        for fit, scores in zip(findings.fits, findings.dev, strict=True):
            gap = scores["accuracy"].value - mean_control(fit, findings, "control_task")
            ledger.add(f"probe/{fit.level.label}/selectivity", gap, "selectivity", **_at(fit), split="dev")


def _scores(ledger: Ledger, name: str, scores: Scores, **columns: object) -> None:
    for metric, estimate in scores.items():
        ledger.add(f"{name}/{metric}", estimate, metric, **columns)


def _at(fit: LevelFit) -> dict[str, object]:
    return {"layer": fit.level.layer, "strength": fit.strength}


def _embed(fit: LevelFit) -> str | None:
    return "embed" if fit.level.layer is None else None

"""Every number of an analogies study, by its flat name and as a tidy row."""

import numpy as np

from latentmech.geometry.analogies.answering import RIVAL
from latentmech.geometry.analogies.findings import Findings, Result
from latentmech.geometry.analogies.questions import RIGHT
from latentmech.report import Ledger
from latentmech.statistics import Estimate

ROOM = "geometry/analogies"


def numbers(findings: Findings, ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    for result in findings.results:
        _methods(findings, result, ledger)
        _relations(findings, result, ledger)
        _random(result, ledger)
    for result in findings.twin:
        for method in RIVAL:
            columns = {"layer": result.name.partition("/")[2], "method": method, "control": "random_init"}
            for metric in ("top1", "gain"):
                name = f"{ROOM}/{result.name}/{method}/{metric}"
                ledger.add(name, findings.estimate(result, method, metric), metric, **columns)
    if findings.best is not None:
        ledger.add(f"{ROOM}/best_layer", findings.best.layer or 0, "best_layer", method="3cosadd")
    for name, count in (("pairs", len(findings.questions.first)), ("candidates", len(findings.asked.candidates))):
        ledger.add(f"{ROOM}/{name}", count, name)


def _methods(findings: Findings, result: Result, ledger: Ledger) -> None:
    for method, ranks in result.answers.ranks.items():
        name, columns = f"{ROOM}/{result.name}/{method}", _columns(result, method)
        for metric in (*RIGHT, "kept_top1", *(["gain"] if method in RIVAL else [])):
            ledger.add(f"{name}/{metric}", findings.estimate(result, method, metric), metric, **columns)
        ledger.add(f"{name}/median_rank", float(np.median(ranks.left_out)), "median_rank", **columns)


def _relations(findings: Findings, result: Result, ledger: Ledger) -> None:
    """Top-1 and gain of each relation; `split` names it."""
    for number, relation in enumerate(findings.questions.names):
        for method in RIVAL:
            for metric in ("top1", "gain"):
                name = f"{ROOM}/{result.name}/{method}/{relation}/{metric}"
                estimate = findings.estimate(result, method, metric, number)
                ledger.add(name, estimate, metric, **_columns(result, method), split=relation)


def _random(result: Result, ledger: Ledger) -> None:
    """The 95th percentile of the draws, between the smallest and the largest."""
    for method, shares in result.answers.random.items():
        if len(shares):
            high = float(np.percentile(shares, 95))
            spread = Estimate(high, float(shares.min()), float(shares.max()), len(shares))
            columns = _columns(result, method) | {"control": "random_offset_p95"}
            ledger.add(f"{ROOM}/{result.name}/{method}/random_p95", spread, "top1", **columns)


def _columns(result: Result, method: str) -> dict[str, object]:
    return {"layer": result.name, "method": method, "control": None if method in RIVAL else method}

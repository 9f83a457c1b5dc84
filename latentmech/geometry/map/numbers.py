"""Every number of a map study, by its flat name and as a tidy row."""

from latentmech.geometry.map.findings import MapFindings
from latentmech.report import Ledger


def numbers(findings: MapFindings, ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    for one in findings.levels:
        sets = {"full": one.space} | {layout.name: layout.scores for layout in one.layouts}
        sets |= {f"{where}/{method}": scores for (where, method), scores in one.clusters.items()}
        for name, scores in sets.items():
            for metric, estimate in scores.items():
                columns = {"layer": one.level.layer, "method": name, "control": _control(metric)}
                ledger.add(f"geometry/map/{one.level.label}/{name}/{metric}", estimate, metric, **columns)


def _control(metric: str) -> str | None:
    return next((kind for kind in ("shuffled", "null") if f"_{kind}" in metric), None)

"""From findings to a `Report`."""

from typing import TYPE_CHECKING

from latentmech.geometry.neighbours.findings import Findings
from latentmech.geometry.neighbours.numbers import numbers
from latentmech.geometry.neighbours.pictures import curves, pictures
from latentmech.geometry.neighbours.tables import cloud_table, full_table, short_table
from latentmech.geometry.neighbours.words import headline, notes_on
from latentmech.model import Model
from latentmech.report import Ledger, Report
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.neighbours.study import NeighboursStudy


def present(study: "NeighboursStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "neighbours", "site": study.site})
    numbers(findings, ledger)
    tables = {f"near_{pool.name}": short_table(study, findings, pool) for pool in findings.pools}
    tables |= {f"cloud_{pool.name}": cloud_table(study, findings, pool) for pool in findings.pools}
    tables |= {f"all_{pool.name}": full_table(findings, pool) for pool in findings.pools}
    return Report(
        title=f"Nearest neighbours in {model.name}",
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=dict(pictures(study, findings, model)),
        curves=tuple(curves(study, findings)),
        notes=tuple(notes_on(study, findings, model)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {pool.name: fingerprint([pool.examples.texts, pool.examples.spans]) for pool in findings.pools},
        },
    )

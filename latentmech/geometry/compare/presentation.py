"""From comparisons to a `Report`: which numbers, tables, pictures and sentences a reader gets."""

from typing import TYPE_CHECKING

from latentmech.geometry.compare.findings import Findings
from latentmech.geometry.compare.numbers import numbers
from latentmech.geometry.compare.pictures import pictures
from latentmech.geometry.compare.tables import tables
from latentmech.geometry.compare.words import course, headline, notes
from latentmech.report import Ledger, Report

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def present(study: "CompareStudy", f: Findings) -> Report:
    """Everything a reader gets."""
    ledger, model = Ledger({"study": "geometry", "task": "compare", "site": "resid_post"}), f.model
    for other in f.found:
        numbers(ledger, other, f"/{other.name}" if f.several else "", None)
    if f.twin is not None:
        numbers(ledger, f.twin, "/random_init", "random_init")
    return Report(
        title=f"{model.name} against {', '.join(other.name for other in f.found)}",
        headline=course(study, f) if f.several else headline(study, f),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables(study, f),
        pictures=pictures(study, f),
        notes=tuple(notes(study, f)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}},
    )

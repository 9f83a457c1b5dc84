"""From comparisons to a `Report`: which numbers, tables, pictures and sentences a reader gets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.geometry.compare.against import Against
from latentmech.geometry.compare.common_words import Words
from latentmech.geometry.compare.numbers import numbers
from latentmech.geometry.compare.pictures import pictures
from latentmech.geometry.compare.tables import tables
from latentmech.geometry.compare.wording import course, headline, notes
from latentmech.model import Model
from latentmech.report import Ledger, Report

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def present(
    study: "CompareStudy", model: Model, words: Words, found: Sequence[Against], twin: Against | None
) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "compare", "site": "resid_post"})
    for other in found:
        numbers(ledger, other, f"/{other.name}" if len(found) > 1 else "", None)
    if twin is not None:
        numbers(ledger, twin, "/random_init", "random_init")
    return Report(
        title=f"{model.name} against {', '.join(other.name for other in found)}",
        headline=headline(study, model, found[0], twin) if len(found) == 1 else course(model, found, twin),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables(study, model, words, found, twin),
        pictures=pictures(study, model, found, twin),
        notes=tuple(notes(model, words, found, twin)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}},
    )

"""From findings to a `Report`."""

from typing import TYPE_CHECKING

from latentmech.geometry.analogies.findings import Findings
from latentmech.geometry.analogies.numbers import numbers
from latentmech.geometry.analogies.pictures import curves, level_picture, relation_picture
from latentmech.geometry.analogies.tables import example_table, mean_table, method_table, relation_table, shown_table
from latentmech.geometry.analogies.words import headline, notes_on
from latentmech.model import Model
from latentmech.report import Ledger, Report
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.analogies.study import AnalogiesStudy


def present(study: "AnalogiesStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "analogies", "site": study.site})
    numbers(findings, ledger)
    tables = {"one_example": example_table(findings), "mean_offset": mean_table(findings)}
    tables |= {"relations": relation_table(findings), "methods": method_table(findings)}
    if any(result.shown for result in findings.results):
        tables["examples"] = shown_table(findings)
    pairs = findings.asked.analogies
    return Report(
        title=f"Word analogies in {model.name}",
        headline=headline(findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures={"levels": level_picture(findings, model), "relations": relation_picture(findings, model)},
        curves=tuple(curves(findings)),
        notes=tuple(notes_on(study, findings, model)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": pairs.source, "fingerprint": fingerprint([pairs.first, pairs.second, pairs.relation])},
        },
    )

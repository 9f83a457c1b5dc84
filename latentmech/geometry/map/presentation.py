"""From maps to a `Report`."""

from typing import TYPE_CHECKING

from latentmech.data import Examples
from latentmech.geometry.map.findings import MapFindings
from latentmech.geometry.map.numbers import numbers
from latentmech.geometry.map.pictures import curves, page, pictures
from latentmech.geometry.map.tables import cluster_table, map_table, outlier_table
from latentmech.geometry.map.words import headline, notes_on
from latentmech.model import Model
from latentmech.report import Ledger, Report, Table
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.map.study import MapStudy


def present(study: "MapStudy", findings: MapFindings, model: Model, examples: Examples) -> Report:
    """Everything a reader gets."""
    name = study.asked().name
    ledger = Ledger({"study": "geometry", "task": f"map {name}", "site": study.site})
    numbers(findings, ledger)
    title = f"Maps of {name} in {model.name}"
    return Report(
        title=title,
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=_tables(study, findings),
        pictures=dict(pictures(study, findings, model)),
        pages={"maps": page(findings, title)},
        curves=tuple(curves(findings)),
        notes=tuple(notes_on(study, findings, model, examples)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": examples.source, "fingerprint": fingerprint([examples.texts, examples.spans])},
        },
    )


def _tables(study: "MapStudy", findings: MapFindings) -> dict[str, Table]:
    tables = {"maps": map_table(findings, study.neighbours), "clusters": cluster_table(findings)}
    return tables | ({"outliers": outlier_table(study, findings)} if study.outliers else {})

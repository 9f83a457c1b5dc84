"""From estimates to a `Report`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.data import Examples
from latentmech.geometry.dimension.findings import Found, unit_of
from latentmech.geometry.dimension.numbers import numbers
from latentmech.geometry.dimension.pictures import curves, pictures
from latentmech.geometry.dimension.tables import level_table, scan_table
from latentmech.geometry.dimension.words import headline, notes_on
from latentmech.model import Level, Model
from latentmech.report import Ledger, Report
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.dimension.study import DimensionStudy


def present(study: "DimensionStudy", found: Found, levels: Sequence[Level], model: Model, examples: Examples) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "dimension", "site": study.site})
    numbers(found, levels, ledger)
    return Report(
        title=f"Dimension of {examples.source} in {model.name}",
        headline=headline(study, found, levels, model, unit_of(examples)),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables={
            "levels": level_table(study, found, levels, unit_of(examples)),
            "scan": scan_table(study, found, levels),
        },
        pictures=dict(pictures(study, found, levels, model)),
        curves=tuple(curves(study, found, levels)),
        notes=tuple(notes_on(study, found, model, examples)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": examples.source, "fingerprint": fingerprint([examples.texts, examples.spans])},
        },
    )

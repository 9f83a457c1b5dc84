"""From the rows to a `Report`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.data.examples import distinct
from latentmech.model import Model
from latentmech.probe.atlas.numbers import numbers
from latentmech.probe.atlas.pictures import atlas_picture, curves, shape_picture, transfer_picture
from latentmech.probe.atlas.row import AtlasRow
from latentmech.probe.atlas.sources import Sources
from latentmech.probe.atlas.tables import level_table, task_table, transfer_table
from latentmech.probe.atlas.transfer import Matrix
from latentmech.probe.atlas.words import headline, in_words, notes_on
from latentmech.report import Ledger, Report
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.probe.atlas.study import AtlasStudy


def present(
    study: "AtlasStudy", rows: Sequence[AtlasRow], transfers: Sequence[Matrix], model: Model, sources: Sources
) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "probe", "site": study.site, "method": study.method})
    numbers(rows, transfers, ledger)
    tables = {"tasks": task_table(rows), "levels": level_table(rows)}
    pictures = {"atlas": atlas_picture(rows, model), "shape": shape_picture(rows, model)}
    for matrix in transfers:
        tables[f"transfer_{matrix.task}"] = transfer_table(matrix)
        pictures[f"transfer_{matrix.task}"] = transfer_picture(matrix, model)
    return Report(
        title=f"layer atlas of {model.name}",
        headline=headline(rows, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        curves=tuple(curves(rows)),
        notes=(
            *map(in_words, rows),
            *(note for matrix in transfers for note in matrix.notes),
            *notes_on(study, rows, model, sources),
        ),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {
                "source": ", ".join(distinct(row.source for row in rows)),
                "fingerprint": fingerprint([sources.data.texts, sources.data.splits]),
            },
        },
    )

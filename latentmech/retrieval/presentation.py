"""From findings to a `Report`, with the chosen coordinates as a file."""

from typing import TYPE_CHECKING

from latentmech.model import Model
from latentmech.report import Ledger, Report
from latentmech.retrieval.corpus_tables import corpus_tables
from latentmech.retrieval.findings import Findings
from latentmech.retrieval.numbers import numbers
from latentmech.retrieval.pictures import curves, grid_picture, layer_picture
from latentmech.retrieval.tables import level_table, table_on_test, way_table
from latentmech.retrieval.words import headline, notes_on
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.retrieval.study import RetrievalStudy


def present(study: "RetrievalStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    collection, draws = findings.collection, study.draws
    ledger = Ledger({"study": "retrieval", "task": collection.source, "site": study.site})
    numbers(findings, draws, ledger)
    tables = {"test": table_on_test(findings, draws), "levels": level_table(findings, draws)}
    texts = [collection.documents.texts, collection.queries.texts, collection.queries.splits]
    return Report(
        title=f"Retrieval with {model.name} on {collection.source}",
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables | {"ways": way_table(findings)} | corpus_tables(findings),
        pictures={"layer_curve": layer_picture(findings, model), "grid": grid_picture(findings, model)},
        curves=tuple(curves(findings)),
        notes=tuple(notes_on(study, findings, model)),
        artifacts=_space(findings),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": collection.source, "fingerprint": fingerprint(texts)},
        },
    )


def _space(findings: Findings) -> dict[str, tuple[dict, dict]]:
    """The chosen coordinates, without which no other text can be put beside the documents."""
    own = findings.searchers["model"]
    assert own.space is not None
    return {"retrieval/space.safetensors": (own.space.tensors, dict(own.documents.card))}

"""From readings to a `Report`."""

from typing import TYPE_CHECKING

from latentmech.data import Examples
from latentmech.geometry.lens.findings import Findings, Means
from latentmech.geometry.lens.next_token import METRICS
from latentmech.geometry.lens.numbers import numbers
from latentmech.geometry.lens.pictures import drawn_text, loss_curve, vocabulary_curve
from latentmech.geometry.lens.tables import level_table, text_table, vocabulary_table
from latentmech.geometry.lens.words import headline, notes_on
from latentmech.model import Model
from latentmech.report import Ledger, Report

if TYPE_CHECKING:
    from latentmech.geometry.lens.study import LensStudy


def present(study: "LensStudy", model: Model, texts: Examples, findings: Findings) -> Report:
    """Everything a reader gets."""
    means = Means(findings, study.draws)
    own = {name: means.levels(findings.own.own[name]) for name in METRICS}
    ledger = Ledger({"study": "geometry", "task": "lens", "site": "resid_post"})
    numbers(ledger, findings, means, own)
    return Report(
        title=f"lens in {model.name}",
        headline=headline(model, findings, means, own),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables={
            "levels": level_table(findings, means, own),
            "vocabulary": vocabulary_table(findings, means),
            "text": text_table(model, findings),
        },
        pictures={
            "text": drawn_text(model, study.text, findings),
            "log_loss": loss_curve(model, findings, means, own),
            "vocabulary": vocabulary_curve(model, findings, means),
        },
        notes=tuple(notes_on(model, texts, findings)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}, "data": {"source": texts.source}},
    )

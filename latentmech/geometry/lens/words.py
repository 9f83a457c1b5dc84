"""What a lens study says in sentences: the headline and the notes."""

from collections.abc import Sequence

from latentmech.data import Examples
from latentmech.geometry.lens.findings import Findings, Means
from latentmech.model import Model
from latentmech.statistics import Estimate


def headline(model: Model, findings: Findings, means: Means, own: dict[str, list[Estimate]]) -> str:
    """From where on the head reads more than frequencies, and where the answer settles."""
    unigram, losses = findings.unigram["log_loss"], own["log_loss"]
    base = means.of(unigram).value
    better = _from_on([means.of(loss - unigram).ci_high < 0 for loss in findings.own.own["log_loss"]])
    half = _from_on([estimate.value >= 0.5 for estimate in own["agreement"]])
    beats = "at no level" if better == len(losses) else f"from {findings.levels[better].place} on"
    return (
        f"Read by its own head, {model.name} tells the next token better than its frequency ({base:.2f} nats) {beats}, "
        f"and ends at {losses[-1].value:.2f} nats [{losses[-1].ci_low:.2f}, {losses[-1].ci_high:.2f}]. Half of the "
        f"final top tokens are on top from {findings.levels[half].place} on."
    )


def _from_on(holds: Sequence[bool]) -> int:
    """The first level from which on something holds at every level; their number if it does not at the last."""
    return next((i + 1 for i in reversed(range(len(holds))) if not holds[i]), 0)


def notes_on(model: Model, texts: Examples, findings: Findings) -> list[str]:
    """What a reader must know before believing the lens."""
    notes = [f"{model.name}: {model.checkpoint.note}."] if model.checkpoint.note else []
    notes.append(
        f"Means are over {len(texts)} texts of {texts.source} ({len(set(texts.groups))} documents) without position 0."
    )
    if "own_unembedding" not in findings.cosines.own:
        notes.append("Embedding and unembedding are one table in this model.")
    if findings.twin is None:
        notes.append("Switched off by setting: random-init twin.")
    notes.append("A level that the head cannot read may still hold the answer in another basis: a probe would find it.")
    return notes

"""What a lens study says in sentences: the headline and the notes."""

from latentmech.data import Examples
from latentmech.geometry.lens.findings import Findings, Means
from latentmech.model import Model
from latentmech.statistics import Estimate


def headline(model: Model, findings: Findings, means: Means, own: dict[str, list[Estimate]]) -> str:
    """From where on the head reads more than frequencies, and where the answer settles."""
    base = means.of(findings.unigram["log_loss"]).value
    losses, agreement = own["log_loss"], [e.value for e in own["agreement"]]
    better = next((i for i in range(len(losses)) if all(e.ci_high < base for e in losses[i:])), None)
    half = next(i for i, value in enumerate(agreement) if value >= 0.5)
    beats = "at no level" if better is None else f"from {findings.levels[better].place} on"
    return (
        f"Read by its own head, {model.name} tells the next token better than its frequency ({base:.2f} nats) {beats}, "
        f"and ends at {losses[-1].value:.2f} nats [{losses[-1].ci_low:.2f}, {losses[-1].ci_high:.2f}]. Half of the "
        f"final top tokens are on top from {findings.levels[half].place}."
    )


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

"""What a retrieval study says in sentences: the headline and the notes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from latentmech.model import Model
from latentmech.retrieval.findings import Findings
from latentmech.retrieval.measures import MAIN, estimates
from latentmech.retrieval.tables import NAMES
from latentmech.statistics import Estimate

if TYPE_CHECKING:
    from latentmech.retrieval.study import RetrievalStudy


def headline(study: "RetrievalStudy", findings: Findings, model: Model) -> str:
    """The answer in a few sentences."""
    own = estimates(findings.test["model"], study.draws)[MAIN]
    said = f"Chosen on dev, {findings.chosen.name} of {model.name} finds test answers with nDCG@10 {_interval(own)}."
    rivals = [name for name in ("bm25", "encoder", "embed", "random_init") if name in findings.test]
    verdicts = []
    for name in rivals:
        lead = findings.lead(name, study.draws)
        value = float(findings.test[name][MAIN].mean())
        verdicts.append(f"{_verdict(lead)} {NAMES[name]} ({value:.3f}; difference {_interval(lead, '+')})")
    return f"{said} It is {'; '.join(verdicts)}."


def _verdict(lead: Estimate) -> str:
    if lead.ci_low > 0:
        return "better than"
    return "worse than" if lead.ci_high < 0 else "not clearly different from"


def _interval(estimate: Estimate, sign: str = "") -> str:
    return f"{estimate.value:{sign}.3f} [{estimate.ci_low:{sign}.3f}, {estimate.ci_high:{sign}.3f}]"


def notes_on(study: "RetrievalStudy", findings: Findings, model: Model) -> Iterator[str]:
    """What a reader must know before believing the ranking."""
    for note in findings.notes:
        yield f"{note}."
    if model.checkpoint.note:
        yield f"{model.name}: {model.checkpoint.note}."
    if findings.index_recall is not None:
        yield f"The index is approximate: it found {findings.index_recall:.1%} of the exact ten nearest (test queries)."
    if (told := findings.corpus.thresholds) and told["words"].scores["f1"].value >= told["model"].scores["f1"].value:
        yield "Near-duplicates: shared word trigrams tell the labelled pairs apart at least as well as the model does."
    if study.cluster_by is not None and not findings.corpus.clusters:
        yield f"No clusters: not every document has a label in the column {study.cluster_by}."
    off = {
        "sentence encoder": study.encoder is None,
        "random-init twin": not study.random_init,
        "shuffled judgements": study.shuffles == 0,
        "near-duplicates": study.pairs is None,
        "clusters": study.cluster_by is None,
    }
    yield from (f"Switched off by setting: {name}." for name, is_off in off.items() if is_off)

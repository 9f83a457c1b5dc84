"""Every number of a retrieval study, by its flat name and as a tidy row."""

from collections.abc import Sequence

from latentmech.report import Ledger
from latentmech.retrieval.candidates import Candidate, best_of
from latentmech.retrieval.corpus_tables import corpus_numbers
from latentmech.retrieval.findings import Findings
from latentmech.retrieval.measures import MAIN, estimates
from latentmech.statistics import Estimate


def numbers(findings: Findings, draws: int, ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    _choice(findings, draws, ledger)
    _levels(findings.candidates, "", ledger)
    _levels(findings.twin, "random_init/", ledger)
    _test(findings, draws, ledger)
    for name, value in findings.dev.items():
        ledger.add(f"retrieval/{name}/dev/{MAIN}", value, MAIN, split="dev", control=name)
    if len(findings.shuffled):
        spread = Estimate(
            float(findings.shuffled.mean()),
            float(findings.shuffled.min()),
            float(findings.shuffled.max()),
            len(findings.shuffled),
        )
        ledger.add(f"retrieval/shuffled/{MAIN}", spread, MAIN, split="test", control="shuffled")
    corpus_numbers(findings.corpus, ledger)
    if findings.index_recall is not None:
        ledger.add("retrieval/index/recall@10", findings.index_recall, "index_recall@10", split="test")


def at_levels(found: Sequence[Candidate]) -> list[Candidate]:
    """The best pooling and space of every level on dev, from the embedding up."""
    hooks = dict.fromkeys(candidate.level.hook_name for candidate in found)
    parts = [[c for c in found if c.level.hook_name == hook] for hook in hooks]
    return [part[best_of(part)] for part in parts]


def _choice(findings: Findings, draws: int, ledger: Ledger) -> None:
    chosen = findings.chosen
    layer = -1 if chosen.level.layer is None else chosen.level.layer
    ledger.add("retrieval/best_layer", layer, "best_layer", split="dev", method=_method(chosen))
    equals = findings.equals(draws)
    ledger.add("retrieval/not_worse/count", len(equals), "not_worse_count", split="dev")
    layers = {findings.candidates[i].level.hook_name for i in equals}
    ledger.add("retrieval/not_worse/levels", len(layers), "not_worse_levels", split="dev")


def _levels(found: Sequence[Candidate], prefix: str, ledger: Ledger) -> None:
    """Each candidate as a row and by name; a level's best pooling and space once more under the level alone."""
    control = prefix.rstrip("/") or None
    for candidate in found:
        columns = {"split": "dev", "layer": candidate.level.label, "method": _method(candidate), "control": control}
        name = f"retrieval/{prefix}{candidate.level.label}/{candidate.pooling}/{candidate.space}/dev/{MAIN}"
        ledger.add(name, candidate.score, MAIN, **columns)
    for candidate in at_levels(found):
        columns = {"split": "dev", "layer": candidate.level.label, "method": "best", "control": control}
        ledger.add(f"retrieval/{prefix}{candidate.level.label}/dev/{MAIN}", candidate.score, MAIN, **columns)


def _test(findings: Findings, draws: int, ledger: Ledger) -> None:
    for who, scores in findings.test.items():
        control = None if who == "model" else who
        columns = {"split": "test", "control": control, "layer": None if control else findings.chosen.level.label}
        for measure, estimate in estimates(scores, draws).items():
            ledger.add(f"retrieval/{who}/{measure}", estimate, measure, **columns)
        if control:
            lead = findings.lead(who, draws)
            ledger.add(f"retrieval/model_minus_{who}/{MAIN}", lead, f"{MAIN}_difference", **columns)


def _method(candidate: Candidate) -> str:
    return f"{candidate.pooling}, {candidate.space}"

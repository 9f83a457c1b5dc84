"""The tables of a retrieval study, as a reader sees them."""

import pandas as pd

from latentmech.report import Table
from latentmech.retrieval.findings import Findings
from latentmech.retrieval.measures import MAIN, estimates
from latentmech.retrieval.numbers import at_levels

NAMES = {
    "model": "model, best level",
    "bm25": "BM25",
    "encoder": "sentence encoder",
    "embed": "embedding, before any block",
    "random_init": "random-init twin, best level",
}


def table_on_test(findings: Findings, draws: int) -> Table:
    """The model beside everything that it is measured against."""
    rows = []
    for who in (name for name in NAMES if name in findings.test):
        found = estimates(findings.test[who], draws)
        row: dict[str, object] = {"searched by": NAMES[who]}
        row |= {MAIN: found[MAIN].value, "low": found[MAIN].ci_low, "high": found[MAIN].ci_high}
        row |= {name: estimate.value for name, estimate in found.items() if name != MAIN}
        if who != "model":
            lead = findings.lead(who, draws)
            row |= {"model minus it": lead.value, "from": lead.ci_low, "to": lead.ci_high}
        rows.append(row)
    if len(findings.shuffled):
        low, high = findings.shuffled.min(), findings.shuffled.max()
        values = {MAIN: findings.shuffled.mean(), "low": low, "high": high}
        rows.append({"searched by": "model, shuffled judgements", **values})
    n = findings.collection.queries.splits.count("test")
    caption = (
        f"{n} test queries over {len(findings.collection.documents):,} documents, read once by what dev chose. "
        "Intervals are 95 %, over queries; differences are paired by query. For shuffled judgements they are the "
        "smallest and the largest shuffle."
    )
    return Table(title="On test", frame=pd.DataFrame(rows), caption=caption)


def level_table(findings: Findings, draws: int) -> Table:
    """One row per level, with its best pooling and space on dev."""
    equals = {findings.candidates[i].level.hook_name for i in findings.equals(draws)}
    twin = {c.level.hook_name: c for c in at_levels(findings.twin)}
    rows = []
    for candidate in at_levels(findings.candidates):
        same = "≈" if candidate.level.hook_name in equals else ""
        mark = "best" if candidate.level == findings.chosen.level else same
        row: dict[str, object] = {"layer": candidate.level.tick, "mark": mark, MAIN: candidate.score}
        row |= {"pooling": candidate.pooling.replace("_", " "), "space": candidate.space}
        if twin:
            row["random init"] = twin[candidate.level.hook_name].score
        rows.append(row)
    n = findings.collection.queries.splits.count("dev")
    caption = (
        f"nDCG@10 on {n} dev queries of the best pooling and space at each level; the choice was made here, so these "
        "are too good. ≈ marks levels not shown to be worse than the best (paired, one-sided 95 %)."
    )
    return Table(title="Level by level, on dev", frame=pd.DataFrame(rows), caption=caption)


def way_table(findings: Findings) -> Table:
    """One row per pooling and space, with its best level on dev."""
    rows = []
    for pooling, space in dict.fromkeys((c.pooling, c.space) for c in findings.candidates):
        own = [c for c in findings.candidates if (c.pooling, c.space) == (pooling, space)]
        best = max(own, key=lambda c: c.score)
        mean = sum(c.score for c in own) / len(own)
        row = {"pooling": pooling.replace("_", " "), "space": space, "best level": best.level.tick}
        rows.append(row | {MAIN: best.score, "mean over levels": mean})
    caption = "nDCG@10 on dev; centring and whitening are fitted to the documents alone."
    return Table(title="By pooling and space, on dev", frame=pd.DataFrame(rows), caption=caption)

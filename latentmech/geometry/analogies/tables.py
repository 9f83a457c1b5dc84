"""The tables of an analogies study, as a reader sees them."""

import numpy as np
import pandas as pd

from latentmech.geometry.analogies.answering import RIVAL
from latentmech.geometry.analogies.findings import Findings, Result, verdict
from latentmech.report import Table

NAMES = {
    "3cosadd": "3CosAdd",
    "3cosmul": "3CosMul",
    "no_offset": "no offset (same questions)",
    "only_b": "only b",
    "mean_offset": "mean offset",
    "no_offset_alone": "no offset (asked once)",
    "mean_b": "only the mean b",
    "other_relation": "another relation's offset",
}


def example_table(findings: Findings) -> Table:
    """One row per space: an offset from one example pair."""
    rows = [_row(findings, result, "3cosadd", ("3cosmul", "only_b")) for result in findings.results]
    caption = (
        f"Top-1 among {len(findings.asked.candidates):,} candidates without a, b and c, averaged over every example "
        f"pair of the relation, for {len(findings.questions.first)} pairs. Gain: 3CosAdd minus no offset, paired, "
        "with its 95 % interval over first words; not corrected for the number of spaces. Random offsets are as long "
        "as the true ones."
    )
    return Table(title="The offset of one example pair", frame=pd.DataFrame(rows), caption=caption)


def mean_table(findings: Findings) -> Table:
    """One row per space: the mean offset of the relation's other pairs."""
    several = len(findings.questions.names) > 1
    others = ("mean_b", "other_relation") if several else ("mean_b",)
    rows = [_row(findings, result, "mean_offset", others) for result in findings.results]
    caption = (
        "Top-1 without c among the candidates; the pair that is asked is not in the mean. The rivals: no offset, the "
        "mean of the other pairs' second words without c, the mean offset of every other relation."
    )
    return Table(title="The mean offset of the other pairs", frame=pd.DataFrame(rows), caption=caption)


def _row(findings: Findings, result: Result, method: str, others: tuple[str, ...]) -> dict[str, object]:
    own, gain = findings.estimate(result, method), findings.estimate(result, method, "gain")
    row: dict[str, object] = {"space": result.tick, NAMES[method]: own.value, "low": own.ci_low, "high": own.ci_high}
    row |= {"no offset": findings.estimate(result, RIVAL[method]).value}
    row |= {"gain": gain.value, "gain low": gain.ci_low, "gain high": gain.ci_high, "the offset": verdict(gain)}
    row |= {NAMES[name]: findings.estimate(result, name).value for name in others}
    random = result.answers.random[method]
    return row | ({"random, p95": float(np.percentile(random, 95))} if len(random) else {})


def relation_table(findings: Findings) -> Table:
    """One row per relation and prominent space."""
    rows = [
        {"relation": name, "pairs": int(findings.of_relation(number).sum()), "space": result.tick}
        | _in_relation(findings, result, number)
        for number, name in enumerate(findings.questions.names)
        for result in findings.prominent
    ]
    caption = "Top-1 by relation. Each 'no offset' is asked the questions of the method to its left."
    return Table(title="Relation by relation", frame=pd.DataFrame(rows), caption=caption)


def _in_relation(findings: Findings, result: Result, number: int) -> dict[str, object]:
    row: dict[str, object] = {}
    for method, short in (("3cosadd", "3CosAdd"), ("mean_offset", "mean")):
        row[short] = findings.estimate(result, method, relation=number).value
        row[f"{short}: no offset"] = findings.estimate(result, RIVAL[method], relation=number).value
        row[f"{short}: the offset"] = verdict(findings.estimate(result, method, "gain", number))
    return row


def method_table(findings: Findings) -> Table:
    """Every method in the prominent spaces: top-1, top-5, ranks, and what the query words do."""
    rows = [
        {"space": result.tick, "method": NAMES[method]} | _ranks(findings, result, method)
        for result in findings.prominent
        for method in result.answers.ranks
    ]
    caption = (
        "Without the query words (a, b and c; or c where the relation is asked) among the candidates, but for the last "
        "column: with them, the nearest word to a query is often one of its own."
    )
    return Table(title="Every method", frame=pd.DataFrame(rows), caption=caption)


def _ranks(findings: Findings, result: Result, method: str) -> dict[str, object]:
    row: dict[str, object] = {}
    for metric, short in (("top1", "top-1"), ("top5", "top-5"), ("reciprocal_rank", "1/rank")):
        estimate = findings.estimate(result, method, metric)
        row |= {short: estimate.value, f"{short} low": estimate.ci_low, f"{short} high": estimate.ci_high}
    row |= {"median rank": float(np.median(result.answers.ranks[method].left_out))}
    return row | {"top-1, query words kept": findings.estimate(result, method, "kept_top1").value}


def shown_table(findings: Findings) -> Table:
    """The examples, word by word."""
    rows = [
        {
            "query": shown.query,
            "expected": shown.expected,
            "space": result.tick,
            "rank": shown.rank,
            "nearest by 3CosAdd": ", ".join(shown.nearest),
            "nearest to c alone": ", ".join(shown.nearest_to_c),
        }
        for result in findings.prominent
        for shown in result.shown
    ]
    caption = "Query words are left out of the nearest; rank 1 is right."
    return Table(title="Examples", frame=pd.DataFrame(rows), caption=caption)

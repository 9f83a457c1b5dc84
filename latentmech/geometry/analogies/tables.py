"""The tables of an analogies study, as a reader sees them."""

import numpy as np
import pandas as pd

from latentmech.geometry.analogies.findings import NAMES, AnalogiesFindings, SpaceResult
from latentmech.report import Table


def example_table(found: AnalogiesFindings) -> Table:
    """One row per space: an offset from one example pair."""
    rows = [_row(found, result, "3cosadd", ("3cosmul", "only_b")) for result in found.results]
    caption = (
        f"Top-1 among {len(found.asked.candidates):,} candidates without a, b and c, averaged over every example "
        f"pair of the relation, for {len(found.questions.first)} pairs. Gain: 3CosAdd minus no offset, paired, "
        "with its 95 % interval over first words. The offset adds something if it beats no offset, only b and random "
        "offsets as long as the true one; not corrected for the number of spaces."
    )
    return Table(title="The offset of one example pair", frame=pd.DataFrame(rows), caption=caption)


def mean_table(found: AnalogiesFindings) -> Table:
    """One row per space: the mean offset of the relation's other pairs."""
    others = ("mean_b", "other_relation") if len(found.questions.names) > 1 else ("mean_b",)
    rows = [_row(found, result, "mean_offset", others) for result in found.results]
    caption = (
        "Top-1 without c among the candidates; the pair that is asked is not in the mean. The rivals: no offset, the "
        "mean of the other pairs' second words without c, the mean offset of every other relation, random offsets."
    )
    return Table(title="The mean offset of the other pairs", frame=pd.DataFrame(rows), caption=caption)


def _row(found: AnalogiesFindings, result: SpaceResult, method: str, others: tuple[str, ...]) -> dict[str, object]:
    none, random = found.over_none(result, method), found.random_p95(result, method)
    row: dict[str, object] = {"space": result.tick}
    row |= found.estimate(result, method).cells(NAMES[method], "low", "high")
    row |= {"no offset": none.value} | none.difference.cells("gain")
    row |= {"the offset": found.verdict(result, method)}
    row |= {NAMES[name]: found.estimate(result, name).value for name in others}
    return row | ({} if random is None else {"random, p95": random.value})


def relation_table(found: AnalogiesFindings) -> Table:
    """One row per relation and prominent space."""
    rows = [
        {"relation": name, "pairs": int(found.of_relation(number).sum()), "space": result.tick}
        | _in_relation(found, result, number)
        for number, name in enumerate(found.questions.names)
        for result in found.prominent
    ]
    caption = "Top-1 by relation. Each 'no offset' is asked the questions of the method to its left."
    return Table(title="Relation by relation", frame=pd.DataFrame(rows), caption=caption)


def _in_relation(found: AnalogiesFindings, result: SpaceResult, number: int) -> dict[str, object]:
    row: dict[str, object] = {}
    for method, short in (("3cosadd", "3CosAdd"), ("mean_offset", "mean")):
        row[short] = found.estimate(result, method, relation=number).value
        row[f"{short}: no offset"] = found.over_none(result, method, number).value
        row[f"{short}: the offset"] = found.verdict(result, method, number)
    return row


def method_table(found: AnalogiesFindings) -> Table:
    """Every method in the prominent spaces: top-1, top-5, ranks, and what the query words do."""
    rows = [
        {"space": result.tick, "method": NAMES[method]} | _ranks(found, result, method)
        for result in found.prominent
        for method in result.answers.ranks
    ]
    caption = (
        "Without the query words (a, b and c; or c where the relation is asked) among the candidates, but for the last "
        "column: with them, the nearest word to a query is often one of its own."
    )
    return Table(title="Every method", frame=pd.DataFrame(rows), caption=caption)


def _ranks(found: AnalogiesFindings, result: SpaceResult, method: str) -> dict[str, object]:
    row: dict[str, object] = {}
    for metric, short in (("top1", "top-1"), ("top5", "top-5"), ("reciprocal_rank", "1/rank")):
        row |= found.estimate(result, method, metric).cells(short)
    row |= {"median rank": float(np.median(result.answers.ranks[method].left_out))}
    return row | {"top-1, query words kept": found.estimate(result, method, "kept_top1").value}


def shown_table(found: AnalogiesFindings) -> Table:
    """The examples, word by word."""
    columns = ("query", "expected", "space", "rank", "nearest by 3CosAdd", "nearest to c alone")
    rows = [
        (shown.query, shown.expected, result.tick, shown.rank, ", ".join(shown.nearest), ", ".join(shown.nearest_to_c))
        for result in found.prominent
        for shown in result.shown
    ]
    caption = "Query words are left out of the nearest; rank 1 is right."
    return Table(title="Examples", frame=pd.DataFrame(rows, columns=columns), caption=caption)

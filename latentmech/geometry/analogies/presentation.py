"""From findings to a `Report`: the answer in words, the tables, the pictures."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.geometry.analogies.answering import RIVAL
from latentmech.geometry.analogies.findings import Findings, Result, verdict
from latentmech.geometry.analogies.numbers import ROOM, numbers
from latentmech.geometry.analogies.tables import example_table, mean_table, method_table, relation_table, shown_table
from latentmech.model import Model
from latentmech.report import Curve, Ledger, Picture, Report, heat_map, layer_curve
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.geometry.analogies.study import AnalogiesStudy

SAID = {"3cosadd": "the offset of one example pair", "mean_offset": "the mean offset"}
DOES = {
    "adds": "adds something",
    "takes away": "takes something away",
    "not shown to add": "is not shown to add anything",
}
DRAWN = {"3CosAdd": "3cosadd", "no offset": "no_offset", "mean offset": "mean_offset", "only b": "only_b"}


def present(study: "AnalogiesStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "analogies", "site": study.site})
    numbers(findings, ledger)
    tables = {"one_example": example_table(findings), "mean_offset": mean_table(findings)}
    tables |= {"relations": relation_table(findings), "methods": method_table(findings)}
    if any(result.shown for result in findings.results):
        tables["examples"] = shown_table(findings)
    pairs = findings.asked.analogies
    return Report(
        title=f"Word analogies in {model.name}",
        headline=_headline(findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures={"levels": _level_picture(findings, model), "relations": _relation_picture(findings, model)},
        curves=tuple(_curves(findings)),
        notes=tuple(_notes(study, findings, model)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": pairs.source, "fingerprint": fingerprint([pairs.first, pairs.second, pairs.relation])},
        },
    )


def _headline(findings: Findings, model: Model) -> str:
    """The offset against no offset: in static vectors, and at the best block."""
    said = [f"In {result.name}, {_sentence(findings, result, '3cosadd')}." for result in findings.results[:1]]
    if findings.best is not None:
        where = f"block {findings.best.tick} of {model.name} (its best)"
        said.append(f"In {where}, {_sentence(findings, findings.best, '3cosadd')}.")
    return " ".join(said)


def _sentence(findings: Findings, result: Result, method: str) -> str:
    """An offset's share of right answers and what of it no offset explains."""
    own, gain = findings.estimate(result, method).value, findings.estimate(result, method, "gain")
    without = findings.estimate(result, RIVAL[method]).value
    difference = f"({gain.value:+.2f} [{gain.ci_low:+.2f}, {gain.ci_high:+.2f}])"
    return f"{SAID[method]} finds {own:.0%} and no offset {without:.0%}: it {DOES[verdict(gain)]} {difference}"


def _notes(study: "AnalogiesStudy", findings: Findings, model: Model) -> Iterator[str]:
    for result in findings.results:
        if result.layer is None:
            yield f"{result.name}: {'; '.join(_sentence(findings, result, method) for method in SAID)}."
    yield from _by_relation(findings)
    for method in SAID if findings.blocks else ():
        yield f"Blocks of {model.name}: {SAID[method]} {_over_blocks(findings, method)}."
    for method in SAID if findings.twin else ():
        best = max(findings.estimate(result, method).value for result in findings.twin)
        yield f"The same architecture with random weights reaches {best:.0%} at most with {SAID[method]}."
    yield (
        f"{findings.asked.single} of {len(findings.asked.analogies.words)} words are one token in the template. In "
        "embedding and unembedding a word of several is the mean of their rows, in a block the state of its last token."
    )
    yield "Vectors are brought to length 1 first. The best block is chosen on the pairs that it is reported on."
    yield from findings.asked.analogies.notes
    if model.checkpoint.note:
        yield f"{model.name}: {model.checkpoint.note}."
    off = {
        "static vectors": study.static is None,
        "common words among the candidates": study.common == 0,
        "random-init twin": not study.random_init,
        "random offsets": study.random_draws == 0,
    }
    yield from (f"Switched off by setting: {name}." for name, is_off in off.items() if is_off)


def _by_relation(findings: Findings) -> Iterator[str]:
    """Where an offset that adds something over all relations does not: an average hides it."""
    for result in findings.prominent:
        without = [
            name
            for number, name in enumerate(findings.questions.names)
            if verdict(findings.estimate(result, "3cosadd", "gain", number)) != "adds"
        ]
        if without:
            where = result.name if result.layer is None else f"block {result.tick}"
            yield f"{where}: {SAID['3cosadd']} is not shown to add anything for {', '.join(without)}."


def _over_blocks(findings: Findings, method: str) -> str:
    """`adds something at 0-4 and 7; is not shown to add anything at 5-6`."""
    verdicts = {r.layer: verdict(findings.estimate(r, method, "gain")) for r in findings.blocks}
    layers = {word: [layer for layer, own in verdicts.items() if own == word and layer is not None] for word in DOES}
    return "; ".join(f"{DOES[word]} at {runs(found)}" for word, found in layers.items() if found)


def runs(layers: Sequence[int]) -> str:
    """Ascending numbers with neighbours drawn together: `0-4, 7`."""
    groups: list[list[int]] = []
    for layer in layers:
        if groups and layer == groups[-1][-1] + 1:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)


def _level_picture(findings: Findings, model: Model) -> Picture:
    own = findings.own
    series = {name: [findings.estimate(r, method).value for r in own] for name, method in DRAWN.items()}
    interval = [findings.estimate(r, "3cosadd") for r in own]
    if findings.twin:
        series["3CosAdd, random weights"] = [findings.estimate(r, "3cosadd").value for r in findings.twin]
    static = [result for result in findings.results if result.role == "static"]
    figure = layer_curve(
        ["\nunembed" if r.role == "unembedding" else r.tick for r in own],
        series,
        {"3CosAdd": ([e.ci_low for e in interval], [e.ci_high for e in interval])},
        {f"{r.name}, {name}": findings.estimate(r, DRAWN[name]).value for r in static for name in list(DRAWN)[:2]},
        "right answers (top-1)",
        f"Word analogies in {model.name}",
        xlabel="embedding, the output of each block, unembedding",
        best="",
    )
    caption = "Share of analogies that are completed, by level, with and without the offset; the query words left out."
    return Picture(title="With and without the offset", figure=figure, caption=caption)


def _relation_picture(findings: Findings, model: Model) -> Picture:
    names = findings.questions.names
    gains = [
        [findings.estimate(result, "3cosadd", "gain", number).value for result in findings.results]
        for number in range(len(names))
    ]
    figure = heat_map(
        np.array(gains),
        names,
        [result.tick for result in findings.results],
        title=f"What the offset adds, relation by relation, in {model.name}",
        xlabel="space",
        ylabel="relation",
        bar="top-1: 3CosAdd minus no offset",
    )
    caption = "Top-1 by 3CosAdd minus top-1 of the word nearest to c, for each relation and space."
    return Picture(title="What the offset adds", figure=figure, caption=caption)


def _curves(findings: Findings) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1; the unembedding stands last."""
    steps = tuple(map(float, range(len(findings.own))))
    for method in ("3cosadd", "no_offset", "mean_offset"):
        values = tuple(findings.estimate(result, method).value for result in findings.own)
        yield Curve(name=f"{ROOM}/{method}/top1", axis=f"{ROOM}/depth", steps=steps, values=values)

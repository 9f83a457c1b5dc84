"""What an analogies study says: numbers, pictures, sentences."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from latentmech.geometry.analogies.findings import ADDS, DOES, NAMES, RIVALS, AnalogiesFindings, SpaceResult
from latentmech.geometry.drawn import curves_of, grid_picture, line_picture
from latentmech.model import Model
from latentmech.report import Ledger, Method, Picture, Report, Table, account
from latentmech.statistics import verdict
from latentmech.storage import fingerprint

ROOM = "geometry/analogies"
DRAWN = {"3CosAdd": "3cosadd", "no offset": "no_offset", "mean offset": "mean_offset", "only b": "only_b"}
SAID = {"3cosadd": "the offset of one example pair", "mean_offset": "the mean offset"}


def account_of(study: object, found: AnalogiesFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "analogies", "site": found.settings.site})
    for result, method, relation, metric, estimate in found.rows():
        split = None if relation is None else found.questions.names[relation]
        name = "/".join(filter(None, (ROOM, result.name, method, split, metric)))
        ledger.add(name, estimate, metric, **_columns(result, method), split=split)
    for result in found.results:
        for method, ranks in result.answers.ranks.items():
            name, columns = f"{ROOM}/{result.name}/{method}", _columns(result, method)
            ledger.add(f"{name}/median_rank", float(np.median(ranks.left_out)), "median_rank", **columns)
            if (random := found.random_p95(result, method)) is not None:
                ledger.add(f"{name}/random_p95", random, "top1", **columns | {"control": "random_offset_p95"})
    if found.best is not None:
        ledger.add(f"{ROOM}/best_layer", found.best.layer or 0, "best_layer", method="3cosadd")
    for name, count in (("pairs", len(found.questions.first)), ("candidates", len(found.asked.candidates))):
        ledger.add(f"{ROOM}/{name}", count, name)
    pairs = found.asked.analogies
    data = {"source": pairs.source, "fingerprint": fingerprint([pairs.first, pairs.second, pairs.relation])}
    drawn = ("3cosadd", "no_offset", "mean_offset")
    curves = {f"{ROOM}/{of}/top1": [found.estimate(result, of) for result in found.of_model] for of in drawn}
    return account(
        study, model, ledger,
        title=f"Word analogies in {model.name}",
        headline=headline(found, model),
        tables=dict(_tables(found)),
        pictures={"levels": _level_picture(found, model), "relations": _relation_picture(found, model)},
        curves=curves_of(f"{ROOM}/depth", curves),
        groups="first words",
        notes=notes(found, model),
        methods=_methods(found),
        provenance={"data": data},
    )  # fmt: skip


def _columns(result: SpaceResult, method: str) -> dict[str, object]:
    twin, _, layer = result.name.rpartition("/")
    return {"layer": layer, "method": method, "control": twin or (None if method in RIVALS else method)}


def _level_picture(found: AnalogiesFindings, model: Model) -> Picture:
    results = found.of_model
    series = {name: [found.estimate(r, method) for r in results] for name, method in DRAWN.items()}
    if found.twin:
        series["3CosAdd, random weights"] = [found.estimate(r, "3cosadd") for r in found.twin]
    static = [result for result in found.results if result.role == "static"]
    return line_picture(
        "With and without the offset", ["\nunembed" if r.role == "unembedding" else r.tick for r in results], series,
        "Share of analogies that are completed, by level, with and without the offset; the query words left out.",
        around=["3CosAdd"], ylabel="right answers (top-1)", title=f"Word analogies in {model.name}",
        reference_lines={f"{r.name}, {t}": found.estimate(r, DRAWN[t]).value for r in static for t in list(DRAWN)[:2]},
        xlabel="embedding, the output of each block, unembedding",
    )  # fmt: skip


def _relation_picture(found: AnalogiesFindings, model: Model) -> Picture:
    names = found.questions.names
    gains = [[found.over_none(r, "3cosadd", i).difference.value for r in found.results] for i in range(len(names))]
    return grid_picture(
        "What the offset adds", "Top-1 by 3CosAdd minus top-1 of the word nearest to c, for each relation and space.",
        np.array(gains), names, [result.tick for result in found.results],
        title=f"What the offset adds, relation by relation, in {model.name}",
        xlabel="space", ylabel="relation", bar="top-1: 3CosAdd minus no offset",
    )  # fmt: skip


def headline(found: AnalogiesFindings, model: Model) -> str:
    """The offset against its rivals: in static vectors, and at the best block."""
    said = [f"In {result.name}, {_sentence(found, result, '3cosadd')}." for result in found.results[:1]]
    if found.best is not None:
        where = f"{found.best.place} of {model.name} (its best, chosen on the same pairs)"
        said.append(f"In {where}, {_sentence(found, found.best, '3cosadd')}.")
    return " ".join(said)


def _sentence(found: AnalogiesFindings, result: SpaceResult, method: str) -> str:
    """An offset's share of right answers, what of it no offset explains, and which other rival it does not beat."""
    share, none = found.estimate(result, method).value, found.over_none(result, method)
    does, alone = found.at_best(method) if result is found.best else found.verdict(result, method), ""
    if does != ADDS and none.clear:
        alone = f", for it {verdict(found.leads(result, method))}"
        if found.verdict(result, method) == ADDS:
            alone = f", for what it adds here may be luck among {len(found.blocks)} blocks (Holm's correction)"
    finds = f"{SAID[method]} finds {share:.0%} and no offset {none.value:.0%}"
    return f"{finds}: it {DOES[does]} ({none.difference:+.2f}){alone}"


def notes(found: AnalogiesFindings, model: Model) -> Iterator[str]:
    """What a reader must know before believing an offset."""
    for result in found.results:
        if result.layer is None:
            yield f"{result.name}: {'; '.join(_sentence(found, result, method) for method in SAID)}."
    for result in found.prominent:  # an average over all relations hides where an offset adds nothing
        named = list(enumerate(found.questions.names))
        without = [name for number, name in named if found.verdict(result, "3cosadd", number) != ADDS]
        if without:
            yield f"{result.place}: {SAID['3cosadd']} is not shown to add anything for {', '.join(without)}."
    for method in SAID if found.blocks else ():
        yield f"Blocks of {model.name}: {SAID[method]} {_over_blocks(found, method)}."
    for method in SAID if found.twin else ():
        best = max(found.estimate(result, method).value for result in found.twin)
        yield f"The same architecture with random weights reaches {best:.0%} at most with {SAID[method]}."
    yield (
        f"{found.asked.single} of {len(found.asked.analogies.words)} words are one token in the template. In "
        "embedding and unembedding a word of several is the mean of their rows, in a block the state of its last token."
    )
    yield "Vectors are brought to length 1 first. The best block is chosen on the pairs that it is reported on."
    yield from found.asked.analogies.notes
    if found.settings.common == 0:
        yield "Switched off by setting: common words among the candidates."


def _over_blocks(found: AnalogiesFindings, method: str) -> str:
    """`adds something at 0-4 and 7; is not shown to add anything at 5-6`."""
    said = "; ".join(f"{DOES[word]} at {runs(layers)}" for word, layers in found.over_blocks(method).items() if layers)
    n = len(found.blocks)
    return f"{said} (all {n} blocks at once, by Holm's correction)" if n > 1 else said


def runs(layers: Sequence[int]) -> str:
    """Ascending numbers with neighbours drawn together: `0-4, 7`."""
    drawn = groupby(enumerate(layers), key=lambda placed: placed[1] - placed[0])
    groups = [[layer for _, layer in group] for _, group in drawn]
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)


def _methods(found: AnalogiesFindings) -> Iterator[Method]:
    names, pairs, asked = found.questions.names, found.asked.analogies, found.settings
    yield Method(
        f"{len(found.questions.first)} word pairs of {len(names)} relations ({pairs.source}) were asked as analogies "
        f"in {len(found.results)} spaces, each word in the template '{asked.template}', by {asked.similarity} "
        f"similarity ({asked.site}): a is to b as c is to what, among {len(found.asked.candidates):,} candidates. "
        "3CosAdd and 3CosMul use one example pair, each in turn; the mean offset is that of the other pairs.",
        ("mikolov2013", "levy2014", "drozd2016"),
    )
    yield Method(
        "An offset is said to add something where its top-1 is above that of every rival that lacks it, by the 95 % "
        "interval of the difference pair by pair: the word nearest to c, the word nearest to b (of a mean offset: to "
        "the mean of the other second words, and the mean offset of the other relations), random offsets as long as "
        "the true one. The query words are left out for all.",
        ("linzen2016", "berger1982"),
    )
    yield Method(
        f"Over all {len(found.blocks)} blocks at once, and of the best of them, that is said with Holm's correction; "
        "of other spaces and of relations one by one without. The best block is the one with the highest top-1 by "
        "3CosAdd on the same pairs, so its share is flattered by the choice.",
        ("holm1979",),
    )
    if found.twin:
        yield Method("The same architecture with random weights was asked the same questions.")


def _tables(found: AnalogiesFindings) -> Iterator[tuple[str, Table]]:
    n, candidates = len(found.questions.first), len(found.asked.candidates)
    others = ("mean_b", "other_relation") if len(found.questions.names) > 1 else ("mean_b",)
    yield "one_example", Table(
        title="The offset of one example pair",
        frame=pd.DataFrame([_row(found, result, "3cosadd", ("3cosmul", "only_b")) for result in found.results]),
        caption=f"Top-1 among {candidates:,} candidates without a, b and c, averaged over every example pair of the "
        f"relation, for {n} pairs. Gain: 3CosAdd minus no offset, paired, with its 95 % interval over first words. "
        "The offset adds something if it beats no offset, only b and random offsets as long as the true one; not "
        "corrected for the number of spaces.",
    )  # fmt: skip
    yield "mean_offset", Table(
        title="The mean offset of the other pairs",
        frame=pd.DataFrame([_row(found, result, "mean_offset", others) for result in found.results]),
        caption="Top-1 without c among the candidates; the pair that is asked is not in the mean. The rivals: no "
        "offset, the mean of the other pairs' second words without c, the mean offset of every other relation, random "
        "offsets.",
    )  # fmt: skip
    relations = [_in_relation(found, at, i) for i in range(len(found.questions.names)) for at in found.prominent]
    caption = "Top-1 by relation. Each 'no offset' is asked the questions of the method to its left."
    yield "relations", Table(title="Relation by relation", frame=pd.DataFrame(relations), caption=caption)
    yield "methods", Table(
        title="Every method",
        frame=pd.DataFrame([_ranks(found, at, method) for at in found.prominent for method in at.answers.ranks]),
        caption="Without the query words (a, b and c; or c where the relation is asked) among the candidates, but "
        "for the last column: with them, the nearest word to a query is often one of its own.",
    )  # fmt: skip
    if shown := [
        {"query": one.query, "expected": one.expected, "space": result.tick, "rank": one.rank}
        | {"nearest by 3CosAdd": ", ".join(one.nearest), "nearest to c alone": ", ".join(one.nearest_to_c)}
        for result in found.prominent
        for one in result.shown
    ]:
        caption = "Query words are left out of the nearest; rank 1 is right."
        yield "examples", Table(title="Examples", frame=pd.DataFrame(shown), caption=caption)


def _row(found: AnalogiesFindings, result: SpaceResult, method: str, others: tuple[str, ...]) -> dict[str, object]:
    none, random = found.over_none(result, method), found.random_p95(result, method)
    row: dict[str, object] = {"space": result.tick}
    row |= found.estimate(result, method).cells(NAMES[method], "low", "high")
    row |= {"no offset": none.value} | none.difference.cells("gain")
    row |= {"the offset": found.verdict(result, method)}
    row |= {NAMES[name]: found.estimate(result, name).value for name in others}
    return row | ({} if random is None else {"random, p95": random.value})


def _in_relation(found: AnalogiesFindings, result: SpaceResult, number: int) -> dict[str, object]:
    name, n = found.questions.names[number], found.estimate(result, "3cosadd", relation=number).n
    row: dict[str, object] = {"relation": name, "pairs": n, "space": result.tick}
    for method, short in (("3cosadd", "3CosAdd"), ("mean_offset", "mean")):
        row[short] = found.estimate(result, method, relation=number).value
        row[f"{short}: no offset"] = found.over_none(result, method, number).value
        row[f"{short}: the offset"] = found.verdict(result, method, number)
    return row


def _ranks(found: AnalogiesFindings, result: SpaceResult, method: str) -> dict[str, object]:
    row: dict[str, object] = {"space": result.tick, "method": NAMES[method]}
    for metric, short in (("top1", "top-1"), ("top5", "top-5"), ("reciprocal_rank", "1/rank")):
        row |= found.estimate(result, method, metric).cells(short)
    row |= {"median rank": float(np.median(result.answers.ranks[method].left_out))}
    return row | {"top-1, query words kept": found.estimate(result, method, "kept_top1").value}

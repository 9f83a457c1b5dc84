"""What an analogies study says: numbers, pictures, sentences."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from latentmech.geometry.analogies.findings import ADDS, DOES, RIVALS, AnalogiesFindings, SpaceResult
from latentmech.geometry.analogies.tables import example_table, mean_table, method_table, relation_table, shown_table
from latentmech.model import Model
from latentmech.report import Curve, Ledger, Method, Picture, Report, account, band, heat_map, layer_curve, values
from latentmech.statistics import verdict
from latentmech.storage import fingerprint

ROOM = "geometry/analogies"
DRAWN = {"3CosAdd": "3cosadd", "no offset": "no_offset", "mean offset": "mean_offset", "only b": "only_b"}
SAID = {"3cosadd": "the offset of one example pair", "mean_offset": "the mean offset"}


def account_of(study: object, found: AnalogiesFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "analogies", "site": found.site})
    numbers(found, ledger)
    tables = {"one_example": example_table(found), "mean_offset": mean_table(found)}
    tables |= {"relations": relation_table(found), "methods": method_table(found)}
    if any(result.shown for result in found.results):
        tables["examples"] = shown_table(found)
    pairs = found.asked.analogies
    data = {"source": pairs.source, "fingerprint": fingerprint([pairs.first, pairs.second, pairs.relation])}
    return account(
        study, model, ledger,
        title=f"Word analogies in {model.name}",
        headline=headline(found, model),
        tables=tables,
        pictures={"levels": level_picture(found, model), "relations": relation_picture(found, model)},
        curves=tuple(curves(found)),
        groups="first words",
        notes=notes(found, model),
        methods=methods(found),
        provenance={"data": data},
    )  # fmt: skip


def numbers(found: AnalogiesFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row; of a relation's, `split` names it."""
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


def _columns(result: SpaceResult, method: str) -> dict[str, object]:
    twin, _, layer = result.name.rpartition("/")
    return {"layer": layer, "method": method, "control": twin or (None if method in RIVALS else method)}


def level_picture(found: AnalogiesFindings, model: Model) -> Picture:
    """Right answers by level, with and without the offset."""
    results = found.of_model
    series = {name: values(found.estimate(r, method) for r in results) for name, method in DRAWN.items()}
    if found.twin:
        series["3CosAdd, random weights"] = values(found.estimate(r, "3cosadd") for r in found.twin)
    static = [result for result in found.results if result.role == "static"]
    figure = layer_curve(
        ["\nunembed" if r.role == "unembedding" else r.tick for r in results], series,
        {"3CosAdd": band(found.estimate(r, "3cosadd") for r in results)},
        {f"{r.name}, {name}": found.estimate(r, DRAWN[name]).value for r in static for name in list(DRAWN)[:2]},
        "right answers (top-1)", f"Word analogies in {model.name}",
        xlabel="embedding, the output of each block, unembedding", best="",
    )  # fmt: skip
    caption = "Share of analogies that are completed, by level, with and without the offset; the query words left out."
    return Picture(title="With and without the offset", figure=figure, caption=caption)


def relation_picture(found: AnalogiesFindings, model: Model) -> Picture:
    """What the offset adds, relation by relation."""
    names = found.questions.names
    gains = [[found.over_none(r, "3cosadd", i).difference.value for r in found.results] for i in range(len(names))]
    figure = heat_map(
        np.array(gains), names, [result.tick for result in found.results],
        title=f"What the offset adds, relation by relation, in {model.name}",
        xlabel="space", ylabel="relation", bar="top-1: 3CosAdd minus no offset",
    )  # fmt: skip
    caption = "Top-1 by 3CosAdd minus top-1 of the word nearest to c, for each relation and space."
    return Picture(title="What the offset adds", figure=figure, caption=caption)


def curves(found: AnalogiesFindings) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1; the unembedding stands last."""
    steps = tuple(map(float, range(len(found.of_model))))
    for method in ("3cosadd", "no_offset", "mean_offset"):
        drawn = tuple(values(found.estimate(result, method) for result in found.of_model))
        yield Curve(name=f"{ROOM}/{method}/top1", axis=f"{ROOM}/depth", steps=steps, values=drawn)


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
    yield from _by_relation(found)
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
    if found.common_left_out:
        yield "Switched off by setting: common words among the candidates."


def _by_relation(found: AnalogiesFindings) -> Iterator[str]:
    """Where an offset that adds something over all relations does not: an average hides it."""
    for result in found.prominent:
        named = list(enumerate(found.questions.names))
        without = [name for number, name in named if found.verdict(result, "3cosadd", number) != ADDS]
        if without:
            yield f"{result.place}: {SAID['3cosadd']} is not shown to add anything for {', '.join(without)}."


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


def methods(found: AnalogiesFindings) -> Iterator[Method]:
    """What was done and what it was tested against, for a paper's appendix."""
    names, pairs = found.questions.names, found.asked.analogies
    yield Method(
        f"{len(found.questions.first)} word pairs of {len(names)} relations ({pairs.source}) were asked as analogies "
        f"in {len(found.results)} spaces, each word in the template '{found.template}', by {found.similarity} "
        f"similarity ({found.site}): a is to b as c is to what, among {len(found.asked.candidates):,} candidates. "
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

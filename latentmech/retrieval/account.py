"""What a retrieval study says: numbers, pictures, sentences, methods."""

from collections.abc import Iterator

import numpy as np

from latentmech.model import Model
from latentmech.report import Curve, Ledger, Method, Picture, Report, account, by_depth, heat_map, layer_curve
from latentmech.retrieval.findings import ALPHA, MAIN, SEARCHED_BY, RetrievalFindings, at_levels
from latentmech.retrieval.tables import tables
from latentmech.statistics import Estimate, beats, verdict
from latentmech.storage import fingerprint


def account_of(found: RetrievalFindings, model: Model) -> Report:
    """Everything a reader gets, with the chosen coordinates as a file: no other text can do without them."""
    collection = found.collection
    ledger = Ledger({"study": "retrieval", "task": collection.source, "site": found.settings.site})
    numbers(found, ledger)
    texts = [collection.documents.texts, collection.queries.texts, collection.queries.splits]
    return account(
        found.settings, model, ledger,
        title=f"Retrieval with {model.name} on {collection.source}",
        headline=headline(found, model),
        tables=tables(found),
        pictures={"layer_curve": _layer_picture(found, model), "grid": _grid_picture(found, model)},
        curves=_curves(found),
        artifacts={"retrieval/space.safetensors": (found.space.tensors, dict(found.searchers["model"].documents.card))},
        groups="queries or pairs of texts" if found.thresholds else "queries",
        notes=notes(found),
        methods=methods(found),
        provenance={"data": {"source": collection.source, "fingerprint": fingerprint(texts)}},
    )  # fmt: skip


def numbers(found: RetrievalFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row: of a candidate, and of a level's best under the level alone."""

    def add(name: str, value: Estimate | float | int, metric: str, who: str = "model", **columns: str | None) -> None:
        ledger.add(f"retrieval/{name}", value, metric, control=None if who == "model" else who, **columns)

    chosen = found.chosen
    layer = -1 if chosen.level.layer is None else chosen.level.layer
    add("best_layer", layer, "best_layer", split="dev", method=chosen.way)
    if found.equals is not None:
        add("not_worse/count", len(found.equals), "not_worse_count", split="dev")
        add("not_worse/levels", len({c.level.hook_name for c in found.equals}), "not_worse_levels", split="dev")
    for who, prefix, some in (("model", "", found.candidates), ("random_init", "random_init/", found.twin)):
        ways = [(f"{c.level.label}/{c.pooling}/{c.space}", c, c.way) for c in some]
        for name, one, way in [*ways, *((c.level.label, c, "best") for c in at_levels(some))]:
            columns = {"split": "dev", "layer": one.level.label, "method": way}
            add(f"{prefix}{name}/dev/{MAIN}", one.score, MAIN, who, **columns)
    for who, value in found.dev.items():
        add(f"{who}/dev/{MAIN}", value, MAIN, who, split="dev")
    for who, own in found.on_test.items():
        for measure, estimate in own.items():
            at = chosen.level.label if who == "model" else None
            add(f"{who}/{measure}", estimate, measure, who, split="test", layer=at)
        if who in found.gaps:
            gap = found.gaps[who].difference
            add(f"model_minus_{who}/{MAIN}", gap, f"{MAIN}_difference", who, split="test")
    if found.p is not None:
        add(f"shuffled/{MAIN}", found.by_chance, MAIN, "shuffled", split="test")
        add("shuffled/p", found.p, "p_value", "shuffled", split="test")
    for who, threshold in found.thresholds.items():
        add(f"duplicates/{who}/threshold", threshold.value, "duplicates_threshold", who, split="dev")
        for measure, estimate in found.told_apart[who].items():
            add(f"duplicates/{who}/{measure}", estimate, f"duplicates_{measure}", who, split="test")
    for who, pairs in found.near.items():
        add(f"duplicates/{who}/found", len(pairs), "near_duplicates", who)
    for who, agreed in found.clusters.items():
        for measure, estimate in agreed.items():
            add(f"clusters/{who}/{measure}", estimate, f"clusters_{measure}", who)
    if found.index_recall is not None:
        add("index/recall@10", found.index_recall, "index_recall@10", split="test")


def _layer_picture(found: RetrievalFindings, model: Model) -> Picture:
    levels = at_levels(found.candidates)
    series = {"best way of each level": [one.score for one in levels]}
    for pooling in dict.fromkeys(c.pooling for c in found.candidates):
        own = at_levels([c for c in found.candidates if c.pooling == pooling])
        series[f"{pooling.replace('_', ' ')}, best space"] = [one.score for one in own]
    if found.twin:
        series[SEARCHED_BY["random_init"]] = [one.score for one in at_levels(found.twin)]
    lines = {SEARCHED_BY[who]: value for who, value in found.dev.items()}
    ticks, best = [one.level.tick for one in levels], found.chosen.level.tick
    title = f"Which level of {model.name} finds the answer? {found.collection.source}, dev"
    figure = layer_curve(ticks, series, {}, lines, "nDCG@10 on dev", title, best=best)
    caption = "nDCG@10 on the dev queries at every level, by pooling, with BM25 and the sentence encoder as lines."
    return Picture(title="Layer curve", figure=figure, caption=caption)


def _grid_picture(found: RetrievalFindings, model: Model) -> Picture:
    ways = list(dict.fromkeys(c.way for c in found.candidates))
    levels = list(dict.fromkeys(c.level.tick for c in found.candidates))
    figure = heat_map(
        np.array([c.score for c in found.candidates]).reshape(len(levels), len(ways)).T,
        [way.replace("_", " ") for way in ways],
        levels,
        title=f"nDCG@10 on dev in {model.name}",
        xlabel="level of the residual stream",
        ylabel="pooling, space",
        bar="nDCG@10",
        marks=[(ways.index(found.chosen.way), levels.index(found.chosen.level.tick))],
    )
    return Picture(title="Every level and way", figure=figure, caption="nDCG@10 on dev; what was chosen is framed.")


def _curves(found: RetrievalFindings) -> tuple[Curve, ...]:
    series = {"retrieval": found.candidates, "retrieval/random_init": found.twin}
    own = {f"{name}/dev/{MAIN}": [c.score for c in at_levels(some)] for name, some in series.items() if some}
    return by_depth("retrieval/depth", [one.level for one in at_levels(found.candidates)], own)


def headline(found: RetrievalFindings, model: Model) -> str:
    """What dev chose, what it is worth on test, and what it beats."""
    chosen = found.chosen
    how = f"{chosen.pooling.replace('_', ' ')} pooling in {chosen.space} coordinates"
    said = (
        f"On dev {chosen.level.place} of {model.name} was chosen, with {how}: nDCG@10 {found.on_test['model'][MAIN]} "
    )
    said += f"on test. It {_verdict(found)}."
    if (gap := found.gaps.get("encoder")) is None:
        return said
    where = "behind" if gap.behind else "ahead of" if gap.clear else "not clearly apart from"
    return f"{said} It is {where} the sentence encoder ({gap.value:.3f}; difference {gap.difference:+.3f})."


def _verdict(found: RetrievalFindings) -> str:
    """The one rule, with the shuffled judgements as the last rival."""
    if found.p is None:
        return verdict(found.leads)
    null = f"shuffled judgements ({found.by_chance.value:.3f}; p = {found.p:.3f} of {len(found.shuffled)} shuffles)"
    if beats(found.leads):
        return f"is not shown to beat {null}" if found.is_by_chance else f"{verdict(found.leads)} and {null}"
    return f"{verdict(found.leads)}; {null}" if found.is_by_chance else f"{verdict(found.leads)}; it does beat {null}"


def notes(found: RetrievalFindings) -> Iterator[str]:
    """What a reader must know before believing the ranking."""
    yield from (f"{note}." for note in (*found.collection.notes, *found.notes))
    if found.chosen.level.layer is None:
        yield "The level chosen on dev is the embedding: no block was shown to add anything."
    if found.index_recall is not None:
        yield f"The index is approximate: it found {found.index_recall:.1%} of the exact ten nearest (test queries)."
    if found.thresholds and not beats(found.told_apart_leads):
        yield f"Near-duplicates by AUROC on labelled pairs: the model {verdict(found.told_apart_leads)}."
    if (column := found.settings.cluster_by) is not None and not found.clusters:
        labels = found.collection.documents.columns.get(column, (None,))
        why = "not every document has a label" if None in labels else f"every document has the label {labels[0]}"
        yield f"No clusters: {why} in the column {column}."


def methods(found: RetrievalFindings) -> Iterator[Method]:
    """For a paper's appendix."""
    dev, test = (found.collection.queries.splits.count(split) for split in ("dev", "test"))
    levels = len(at_levels(found.candidates))
    yield Method(
        f"{len(found.collection.documents):,} documents of {found.collection.source} were ranked by cosine at {levels} "
        f"levels of {found.settings.site}, {len(found.candidates)} ways of level, pooling and coordinates in all. "
        f"nDCG@10 on {dev} dev queries chose among them; {test} test queries were then read once.",
        ("macavaney2022",),
    )
    if any(c.space == "whitened" for c in found.candidates):
        yield Method("Whitening is of the documents alone, its correlations shrunk.", ("ledoit2004",))
    yield Method(
        f"The choice was compared, paired by query, with {', '.join(lead.rival for lead in found.leads)}; a rival is "
        "beaten where the 95 % interval of the difference lies above 0, and the claim needs all of them. BM25 stems "
        "and leaves out English stop words.",
        ("berger1982", "robertson2009"),
    )
    if found.p is not None:
        n = len(found.shuffled)
        yield Method(
            f"Judgements were exchanged among the test queries {n} times; p is one-sided, and counts up to {ALPHA}.",
            ("phipson2010",),
        )
    if found.equals is not None:
        said = "Levels that may be the best are a model confidence set of 95 % by nDCG@10 on dev."
        yield Method(said, ("hansen2011",))
    if found.clusters:
        yield Method("k-means clusters were compared with labels by the adjusted Rand index.", ("hubert1985",))

"""From findings to a `Report`: the answer in words, the pictures, the notes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from latentmech.model import Model
from latentmech.report import Curve, Ledger, Picture, Report, heat_map, layer_curve
from latentmech.retrieval.corpus_tables import corpus_tables
from latentmech.retrieval.findings import Findings
from latentmech.retrieval.measures import MAIN, estimates
from latentmech.retrieval.numbers import at_levels, numbers
from latentmech.retrieval.tables import NAMES, level_table, table_on_test, way_table
from latentmech.statistics import Estimate
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.retrieval.study import RetrievalStudy

STEP = "retrieval/depth"


def present(study: "RetrievalStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    collection, draws = findings.collection, study.draws
    ledger = Ledger({"study": "retrieval", "task": collection.source, "site": study.site})
    numbers(findings, draws, ledger)
    tables = {"test": table_on_test(findings, draws), "levels": level_table(findings, draws)}
    texts = [collection.documents.texts, collection.queries.texts, collection.queries.splits]
    return Report(
        title=f"Retrieval with {model.name} on {collection.source}",
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables | {"ways": way_table(findings)} | corpus_tables(findings),
        pictures={"layer_curve": _layer_picture(findings, model), "grid": _grid_picture(findings, model)},
        curves=tuple(_curves(findings)),
        notes=tuple(_notes(study, findings, model)),
        artifacts=_space(findings),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {"source": collection.source, "fingerprint": fingerprint(texts)},
        },
    )


def _space(findings: Findings) -> dict[str, tuple[dict, dict]]:
    """The chosen coordinates, without which no other text can be put beside the documents."""
    own = findings.searchers["model"]
    assert own.space is not None
    return {"retrieval/space.safetensors": (own.space.tensors, dict(own.documents.card))}


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


def _layer_picture(findings: Findings, model: Model) -> Picture:
    levels = at_levels(findings.candidates)
    ticks = [candidate.level.tick for candidate in levels]
    series = {"best way of each level": [candidate.score for candidate in levels]}
    for pooling in dict.fromkeys(c.pooling for c in findings.candidates):
        name = f"{pooling.replace('_', ' ')}, best space"
        series[name] = [c.score for c in at_levels([c for c in findings.candidates if c.pooling == pooling])]
    if findings.twin:
        series["random-init twin"] = [candidate.score for candidate in at_levels(findings.twin)]
    lines = {NAMES[name]: value for name, value in findings.dev.items()}
    title = f"Which level of {model.name} finds the answer? {findings.collection.source}, dev"
    figure = layer_curve(ticks, series, {}, lines, "nDCG@10 on dev", title, best=findings.chosen.level.tick)
    caption = "nDCG@10 on the dev queries at every level, by pooling, with BM25 and the sentence encoder as lines."
    return Picture(title="Layer curve", figure=figure, caption=caption)


def _grid_picture(findings: Findings, model: Model) -> Picture:
    ways = list(dict.fromkeys((c.pooling, c.space) for c in findings.candidates))
    levels = list(dict.fromkeys(c.level.tick for c in findings.candidates))
    grid = np.array([c.score for c in findings.candidates]).reshape(len(levels), len(ways)).T
    chosen = findings.chosen
    figure = heat_map(
        grid,
        [f"{pooling.replace('_', ' ')}, {space}" for pooling, space in ways],
        levels,
        title=f"nDCG@10 on dev in {model.name}",
        xlabel="level of the residual stream",
        ylabel="pooling, space",
        bar="nDCG@10",
        marks=[(ways.index((chosen.pooling, chosen.space)), levels.index(chosen.level.tick))],
    )
    return Picture(title="Every level and way", figure=figure, caption="nDCG@10 on dev; what was chosen is framed.")


def _curves(findings: Findings) -> Iterator[Curve]:
    """Against depth: 0 is the embedding, k the output of block k - 1."""
    for name, found in (("retrieval", findings.candidates), ("retrieval/random_init", findings.twin)):
        levels = at_levels(found)
        depth = tuple(0.0 if c.level.layer is None else c.level.layer + 1.0 for c in levels)
        if levels:
            yield Curve(name=f"{name}/dev/{MAIN}", axis=STEP, steps=depth, values=tuple(c.score for c in levels))


def _notes(study: "RetrievalStudy", findings: Findings, model: Model) -> Iterator[str]:
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

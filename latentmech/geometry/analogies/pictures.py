"""The pictures and curves of an analogies study."""

from collections.abc import Iterator

import numpy as np

from latentmech.geometry.analogies.findings import Findings
from latentmech.geometry.analogies.numbers import ROOM
from latentmech.model import Model
from latentmech.report import Curve, Picture, heat_map, layer_curve

DRAWN = {"3CosAdd": "3cosadd", "no offset": "no_offset", "mean offset": "mean_offset", "only b": "only_b"}


def level_picture(findings: Findings, model: Model) -> Picture:
    """Right answers by level, with and without the offset."""
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


def relation_picture(findings: Findings, model: Model) -> Picture:
    """What the offset adds, relation by relation."""
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


def curves(findings: Findings) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1; the unembedding stands last."""
    steps = tuple(map(float, range(len(findings.own))))
    for method in ("3cosadd", "no_offset", "mean_offset"):
        values = tuple(findings.estimate(result, method).value for result in findings.own)
        yield Curve(name=f"{ROOM}/{method}/top1", axis=f"{ROOM}/depth", steps=steps, values=values)

"""The pictures and curves of a retrieval study."""

from collections.abc import Iterator

import numpy as np

from latentmech.model import Model
from latentmech.report import Curve, Picture, heat_map, layer_curve
from latentmech.retrieval.findings import Findings
from latentmech.retrieval.measures import MAIN
from latentmech.retrieval.numbers import at_levels
from latentmech.retrieval.tables import NAMES

STEP = "retrieval/depth"


def layer_picture(findings: Findings, model: Model) -> Picture:
    """nDCG@10 on dev at every level, by pooling."""
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


def grid_picture(findings: Findings, model: Model) -> Picture:
    """The same of every level, pooling and space."""
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


def curves(findings: Findings) -> Iterator[Curve]:
    """Against depth: 0 is the embedding, k the output of block k - 1."""
    for name, found in (("retrieval", findings.candidates), ("retrieval/random_init", findings.twin)):
        levels = at_levels(found)
        depth = tuple(0.0 if c.level.layer is None else c.level.layer + 1.0 for c in levels)
        if levels:
            yield Curve(name=f"{name}/dev/{MAIN}", axis=STEP, steps=depth, values=tuple(c.score for c in levels))

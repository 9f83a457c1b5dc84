"""The pictures and curves of a direction study."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from latentmech.direction.findings import Findings
from latentmech.model import Model
from latentmech.report import Curve, Picture, heat_map, layer_curve

if TYPE_CHECKING:
    from latentmech.direction.study import DirectionStudy


def layer_picture(study: "DirectionStudy", findings: Findings, model: Model) -> Picture:
    """Dev AUROC at every level, beside random directions."""
    chosen = findings.at_position()
    ticks = [c.level.tick for c in chosen]
    bands = {}
    if len(chosen[0].random_dev):
        drawn = [np.percentile(c.random_dev, [5, 95]) for c in chosen]
        bands["random directions, 5–95 %"] = ([d[0] for d in drawn], [d[1] for d in drawn])
    lines = {"bag of words (test)": next(r for r in findings.audit.readings if r.name == "bag_of_words").raw.value}
    title = f"{study.called} in {model.name}"
    series = {"direction": [c.dev for c in chosen]}
    figure = layer_curve(ticks, series, bands, lines, "dev AUROC", title, best=findings.best.level.tick)
    caption = "Dev AUROC of the direction at every level, and what random directions reach with their better sign."
    return Picture(title="Layer curve", figure=figure, caption=caption)


def grid_picture(study: "DirectionStudy", findings: Findings, model: Model) -> Picture:
    """Dev AUROC at every level and position."""
    levels = list(dict.fromkeys(c.level.tick for c in findings.candidates))
    grid = np.array([c.dev for c in findings.candidates]).reshape(len(levels), -1).T
    figure = heat_map(
        grid,
        findings.positions,
        levels,
        title=f"Dev AUROC of the {study.called} direction in {model.name}",
        xlabel="level of the residual stream",
        ylabel="position",
        bar="AUROC",
        marks=[(findings.positions.index(findings.best.position), levels.index(findings.best.level.tick))],
    )
    return Picture(title="Every layer and position", figure=figure, caption="Dev AUROC; the chosen place is framed.")


def curves(findings: Findings) -> Iterator[Curve]:
    """Curves against depth: 0 is the embedding, k the output of block k - 1."""
    chosen = findings.at_position()
    depth = tuple(0.0 if c.level.layer is None else c.level.layer + 1.0 for c in chosen)
    yield Curve(name="direction/dev/auroc", axis="direction/depth", steps=depth, values=tuple(c.dev for c in chosen))
    if len(chosen[0].random_dev):
        high = tuple(float(np.percentile(c.random_dev, 95)) for c in chosen)
        yield Curve(name="direction/dev/random_p95", axis="direction/depth", steps=depth, values=high)

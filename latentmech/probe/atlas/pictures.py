"""The map, its shape, transfer, and curves against depth."""

from collections.abc import Sequence

import numpy as np

from latentmech.model import Model
from latentmech.probe.atlas.row import AtlasRow, depth
from latentmech.probe.atlas.transfer import Matrix
from latentmech.report import Curve, Picture, heat_map

XLABEL = "level of the residual stream (embed, then the output of each block)"


def atlas_picture(rows: Sequence[AtlasRow], model: Model) -> Picture:
    """What every level holds of every task, over its baseline."""
    figure = heat_map(
        np.stack([row.gains for row in rows]),
        [f"{row.name}  ({row.dev.values[row.floor]:.2f})" for row in rows],
        [level.tick for level in rows[0].levels],
        title=f"What each level of {model.name} holds, beyond the words",
        xlabel=XLABEL,
        ylabel="task (the baseline that is subtracted)",
        bar="dev score minus baseline",
        marks=[(i, row.best) for i, row in enumerate(rows)],
        around_zero=True,
    )
    caption = (
        "Dev accuracy (F1 for proper nouns) minus the strongest answer without the model, which stands in brackets. "
        "Zero is white: there the level says no more than the words do. Each task's peak is framed."
    )
    return Picture(title="Atlas", figure=figure, caption=caption)


def shape_picture(rows: Sequence[AtlasRow], model: Model) -> Picture:
    """The same map with every row from its lowest to its highest level."""
    scores = np.stack([row.dev.values[: len(row.levels)] for row in rows])
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    figure = heat_map(
        np.divide(scores - low, high - low, out=np.full_like(scores, np.nan), where=high > low),
        [f"{row.name}  ({a:.2f}–{b:.2f})" for row, a, b in zip(rows, low[:, 0], high[:, 0], strict=True)],
        [level.tick for level in rows[0].levels],
        title=f"Where each task lies in {model.name}",
        xlabel=XLABEL,
        ylabel="task (its lowest and highest dev score)",
        bar="from its worst level to its best",
        marks=[(i, j) for i, row in enumerate(rows) for j in row.equals],
    )
    caption = (
        "Every task stretched from its lowest dev score to its highest, so that shapes can be compared. Framed: the "
        "levels not shown to be worse than the best. Where the scores in brackets are close, the colours show noise."
    )
    return Picture(title="Shape", figure=figure, caption=caption)


def transfer_picture(matrix: Matrix, model: Model) -> Picture:
    """Every set's probe on every set."""
    figure = heat_map(
        matrix.values - np.array(matrix.majority),
        matrix.names,
        matrix.names,
        title=f"Transfer of {matrix.task} in {model.name}",
        xlabel="tested on",
        ylabel="trained on",
        bar="test accuracy minus majority",
        around_zero=True,
    )
    caption = "Test accuracy of each set's probe on each set, minus what the commonest class scores there."
    return Picture(title=f"Transfer of {matrix.task}", figure=figure, caption=caption)


def curves(rows: Sequence[AtlasRow]) -> list[Curve]:
    """Gains against depth: 0 is the embedding, k the output of block k - 1."""
    steps = tuple(float(depth(level)) for level in rows[0].levels)
    name = "probe/{}/gain_by_depth".format
    return [
        Curve(name=name(row.name), axis="probe/depth", steps=steps, values=tuple(map(float, row.gains))) for row in rows
    ]

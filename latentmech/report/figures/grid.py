"""A number for every cell of a grid, such as layer by position."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from latentmech.report.figures.style import INK, canvas, dress


def heat_map(
    grid: Float[np.ndarray, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    bar: str,
    marks: Sequence[tuple[int, int]] = (),
    around_zero: bool = False,
) -> Figure:
    """Draw a grid of numbers; NaN stays grey.

    Args:
        rows: their names, top to bottom.
        columns: their names, left to right; every second or third is written where they are many.
        bar: what the colours mean.
        marks: row and column of each cell to frame.
        around_zero: two hues, for what lies below and above zero.
    """
    width = min(4 + 0.24 * len(columns), 13.0) + 0.06 * max(map(len, rows))
    figure, axes = canvas(width, 3.0 + 0.34 * len(rows))
    axes.set_facecolor("#E6E6E6")
    colours = {"cmap": "PuOr_r", "norm": CenteredNorm()} if around_zero else {"cmap": "cividis"}
    image = axes.imshow(grid, aspect="auto", **colours)
    figure.colorbar(image, shrink=0.9, aspect=12).set_label(bar, fontsize=10.5, color=INK)
    dress(axes, title, xlabel, ylabel)
    step = 1 + len(columns) // 20
    axes.set_xticks(range(0, len(columns), step), columns[::step], fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, column in marks:
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK if around_zero else "#D55E00")
        frame.set_linewidth(2.5)
        axes.add_patch(frame)
    return figure

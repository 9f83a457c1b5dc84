"""A number for every cell of a grid: heat maps such as layer by position, words in their cells, confused classes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from latentmech.report.figures.style import INK, canvas, dress

LONGEST = 9  # characters that fit into a cell
MAX_NUMBERED = 24  # classes beyond which a number no longer fits its cell
SHARES = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)


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
    colours = {"cmap": "PuOr_r", "norm": CenteredNorm()} if around_zero else {"cmap": "cividis"}
    image = axes.imshow(grid, aspect="auto", **colours)
    figure.colorbar(image, shrink=0.9, aspect=12).set_label(bar, fontsize=10.5, color=INK)
    dress(axes, title, xlabel, ylabel)
    _name_cells(axes, rows, columns, step=1 + len(columns) // 20)
    for row, column in marks:
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK if around_zero else "#D55E00")
        frame.set_linewidth(2.5)
        axes.add_patch(frame)
    return figure


def inscribe(figure: Figure, words: Sequence[Sequence[str]]) -> Figure:
    """Write a word into each cell of a grid that `heat_map` drew, row by row, and make the cells wide enough."""
    axes, image = figure.axes[0], figure.axes[0].images[0]
    figure.set_size_inches(3 + 0.82 * len(words[0]), figure.get_size_inches()[1])
    known = get_font(findfont(FontProperties())).get_charmap()
    bright = np.asarray(image.norm(np.asarray(image.get_array()))) > 0.5  # cividis goes from dark to light
    for row, line in enumerate(words):
        for column, word in enumerate(line):
            colour = INK if bright[row, column] else "white"
            text = "".join(c if ord(c) in known else "□" for c in word)
            text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
            axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour, parse_math=False)
    return figure


def confusion(matrix: Sequence[Sequence[int]] | np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Draw where the rows of each true class went, as shares of that class.

    The shade grows with the square root of the share, so that errors of a few per cent can be seen.

    Args:
        matrix: counts, true class by predicted class. A class without rows stays grey.
        classes: their names, in the order of the matrix.
    """
    counts = np.asarray(matrix, dtype=float)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    side = min(max(3.2, 1.6 + 0.42 * len(classes)), 12)
    figure, axes = canvas(side + 2 + 0.08 * max(map(len, classes)), side + 0.8)
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    bar = figure.colorbar(image, shrink=0.9, aspect=28, ticks=SHARES, format=PercentFormatter(1))
    bar.set_label("share of the true class (in the cells: per cent)", fontsize=10.5, color=INK)
    bar.outline.set_visible(False)
    dress(axes, title, "predicted class", "true class (rows)")
    rows = [f"{name}  ({int(n):,})" for name, n in zip(classes, totals[:, 0], strict=True)]
    is_numbered = len(classes) <= MAX_NUMBERED
    is_level = max(map(len, classes)) <= 14 and len(classes) <= 4
    _name_cells(axes, rows, classes, size=9 if is_numbered else 6.5, rotation=0 if is_level else 90)
    for (row, column), share in np.ndenumerate(shares):
        if is_numbered and share >= 0.005:
            colour = "white" if share > 0.4 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.5, color=colour)
    return figure


def _name_cells(
    axes: Axes, rows: Sequence[str], columns: Sequence[str], size: float | int = 9, rotation: int = 0, step: int = 1
) -> None:
    """Names without ticks or frame; what has no number is grey."""
    axes.set_xticks(range(0, len(columns), step), columns[::step], rotation=rotation, fontsize=size)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_facecolor("#E6E6E6")

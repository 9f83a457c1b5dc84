"""Which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import PercentFormatter

from latentmech.report.figures.style import INK, canvas, dress

MAX_NUMBERED = 24  # classes beyond which a number no longer fits its cell
SHARES = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)


def confusion(matrix: Sequence[Sequence[int]] | np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Draw where the rows of each true class went, as shares of that class.

    The shade grows with the square root of the share, so that errors of a few per cent can be seen.

    Args:
        matrix: counts, true class by predicted class. A class without rows stays grey.
        classes: their names, in the order of the matrix.
        title: what the picture shows.
    """
    counts = np.asarray(matrix, dtype=float)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    side = min(max(3.2, 1.6 + 0.42 * len(classes)), 12)
    figure, axes = canvas(side + 2 + 0.08 * max(map(len, classes)), side + 0.8)
    axes.set_facecolor("#E6E6E6")
    _colour_bar(figure, axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1)))
    dress(axes, title, "predicted class", "true class (rows)")
    _name_classes(axes, classes, totals[:, 0])
    if len(classes) <= MAX_NUMBERED:
        _number_cells(axes, shares)
    return figure


def _colour_bar(figure: Figure, image: AxesImage) -> None:
    bar = figure.colorbar(image, shrink=0.9, aspect=28, ticks=SHARES, format=PercentFormatter(1))
    bar.set_label("share of the true class (in the cells: per cent)", fontsize=10.5, color=INK)
    bar.outline.set_visible(False)


def _name_classes(axes: Axes, classes: Sequence[str], totals: np.ndarray) -> None:
    size = 9 if len(classes) <= MAX_NUMBERED else 6.5
    rows = [f"{name}  ({int(n):,})" for name, n in zip(classes, totals, strict=True)]
    level = max(map(len, classes)) <= 14 and len(classes) <= 4
    axes.set_xticks(range(len(classes)), classes, rotation=0 if level else 90, fontsize=size)
    axes.set_yticks(range(len(classes)), rows, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _number_cells(axes: Axes, shares: np.ndarray) -> None:
    """Write per cents into the cells that hold at least half a per cent."""
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = "white" if share > 0.4 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.5, color=colour)

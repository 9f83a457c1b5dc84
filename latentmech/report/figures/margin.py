"""Names beside the lines they belong to: quicker to read than a legend, and never over the data.

Names that would overlap are moved apart, and a thin leader shows where each belongs.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

LINE_HEIGHT = 0.047  # of the axes' height, for one line of text
WRAP = 30  # characters
LEADER = {"arrowstyle": "-", "linewidth": 0.8, "relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 0}


@dataclass(frozen=True)
class Label:
    """A name and the value on the y axis that it belongs to."""

    text: str
    value: float
    colour: str
    bold: bool = False

    def lines(self) -> list[str]:
        """The text, broken into lines that fit the margin."""
        return textwrap.wrap(self.text, WRAP) or [""]


def label_margin(axes: Axes, labels: Iterable[Label]) -> None:
    """Write `labels` right of the axes, each as near to its value as the others allow."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    ordered = sorted((label for label in labels if math.isfinite(label.value)), key=lambda label: label.value)
    wanted = [(label.value - low) / (high - low) for label in ordered]
    heights = [LINE_HEIGHT * (len(label.lines()) + 0.3) for label in ordered]
    for label, at, y in zip(ordered, wanted, spread(wanted, heights), strict=True):
        axes.annotate(
            "\n".join(label.lines()), (1.0, at), (1.045, y), xycoords="axes fraction", textcoords="axes fraction",
            va="center", fontsize=10, color=label.colour, fontweight="bold" if label.bold else "normal",
            arrowprops={**LEADER, "color": label.colour}, annotation_clip=False,
        )  # fmt: skip


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres as near as may be to `wanted` (ascending) without overlap.

    Less the room that labels stacked from 0 would take, centres may not fall: that is isotonic regression, by least
    squares.
    """
    from scipy.optimize import isotonic_regression

    if not wanted:
        return []
    stacked = np.cumsum(heights) - np.array(heights) / 2
    return (isotonic_regression(np.array(wanted) - stacked).x + stacked).tolist()

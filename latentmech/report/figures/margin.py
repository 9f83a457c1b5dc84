"""Names beside the lines they belong to: quicker to read than a legend, and never over the data.

Names that would overlap are moved apart, and a thin leader shows where each belongs.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
            "\n".join(label.lines()),
            (1.0, at),
            (1.045, y),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=10,
            color=label.colour,
            fontweight="bold" if label.bold else "normal",
            arrowprops={**LEADER, "color": label.colour},
            annotation_clip=False,
        )


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres as near as may be to `wanted` (ascending) without overlap: neighbours that collide share a block.

    A block of touching labels sits where the mean of its wishes is met; blocks merge until none overlap.
    """
    blocks: list[list[int]] = []
    for i in range(len(wanted)):
        blocks.append([i])
        while len(blocks) > 1 and _top(blocks[-2], wanted, heights) > _bottom(blocks[-1], wanted, heights):
            last = blocks.pop()
            blocks[-1] += last
    return [centre for block in blocks for centre in _stack(block, wanted, heights)]


def _bottom(block: Sequence[int], wanted: Sequence[float], heights: Sequence[float]) -> float:
    """Where a block begins: the mean over its labels of the start that would give each its wish."""
    below, starts = 0.0, []
    for i in block:
        starts.append(wanted[i] - below - heights[i] / 2)
        below += heights[i]
    return sum(starts) / len(starts)


def _top(block: Sequence[int], wanted: Sequence[float], heights: Sequence[float]) -> float:
    return _bottom(block, wanted, heights) + sum(heights[i] for i in block)


def _stack(block: Sequence[int], wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The centres of a block's labels, one upon the other."""
    edge, centres = _bottom(block, wanted, heights), []
    for i in block:
        centres.append(edge + heights[i] / 2)
        edge += heights[i]
    return centres

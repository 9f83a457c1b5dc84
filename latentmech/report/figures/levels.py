"""Numbers over the levels of a model, with the controls that they must beat in the same picture; and over doses.

Names stand beside the lines they belong to: quicker to read than a legend, and never over the data. Those that would
overlap are moved apart, and a thin leader shows where each belongs.
"""

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from latentmech.report.figures.style import INK, OKABE_ITO, canvas, dress

Band = tuple[Sequence[float], Sequence[float]]

MARKERS = "osD^vPX"
DASHES = ((0, (6, 2)), (0, (2, 2)), (0, (6, 2, 1, 2)), (0, (1, 1.2)), (0, (8, 2, 2, 2, 2, 2)))
LINE_HEIGHT = 0.047  # of the axes' height, for one line of text
WRAP = 30  # characters
LEADER = {"arrowstyle": "-", "linewidth": 0.8, "relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 0}
MAX_TICKS = 18  # labels that fit side by side under a picture


@dataclass(frozen=True)
class Label:
    """A name beside the axes, and the value on the y axis that it belongs to."""

    text: str
    value: float
    colour: str
    bold: bool = False


def layer_curve(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    bands: Mapping[str, Band] | None = None,
    reference_lines: Mapping[str, float] | None = None,
    ylabel: str = "",
    title: str = "",
    *,
    xlabel: str = "level of the residual stream (embed, then the output of each block)",
    best: str | None = None,
) -> Figure:
    """Draw one or more curves over the levels.

    Args:
        labels: names of the levels, such as `embed`, `0`, `1`; any ordered labels will do, such as strengths.
        series: name -> one number a level. The first is the finding: drawn thick.
        bands: name -> (low, high). A band named as a series is its interval and takes its colour;
            any other is a control, drawn and named by itself.
        reference_lines: name -> a number that holds for all levels, such as a baseline. One so far away that it
            would flatten the curves is only named in the margin, with an arrow.
        best: the level to mark on the first series; by default its highest point, none if empty.
    """
    bands = bands or {}
    figure, axes = canvas(9.7, 5.0)
    margin = list(_draw(axes, series, bands))
    _fit(axes, [*series.values(), *chain(*bands.values())], reference_lines or {})
    margin += _draw_references(axes, reference_lines or {})
    if best != "":
        _mark_best(axes, labels, next(iter(series.values())), best)
    dress(axes, title, xlabel, ylabel)
    _label_levels(axes, labels)
    _label_margin(axes, margin)
    return figure


def _draw(axes: Axes, series: Mapping[str, Sequence[float]], bands: Mapping[str, Band]) -> Iterator[Label]:
    """Lines with their intervals, and the bands of controls; what is to be named at the end of each."""
    palette = cycle(OKABE_ITO)
    for i, (name, values) in enumerate(series.items()):
        colour, width, size = next(palette), *((2.6, 5.5) if i == 0 else (1.5, 3.5))
        marker = MARKERS[i % len(MARKERS)]
        axes.plot(values, color=colour, linewidth=width, marker=marker, markersize=size, zorder=4 if i == 0 else 3)
        if name in bands:
            axes.fill_between(range(len(values)), *bands[name], color=colour, alpha=0.2, linewidth=0)
        yield Label(name, _last(values), colour, bold=i == 0)
    for name, (low, high) in ((name, ends) for name, ends in bands.items() if name not in series):
        colour = next(palette)
        axes.fill_between(range(len(low)), low, high, facecolor=colour, alpha=0.22, linewidth=0, zorder=1)
        for edge in (low, high):
            axes.plot(edge, color=colour, linewidth=0.7, zorder=2)
        yield Label(name, (_last(low) + _last(high)) / 2, colour)


def _last(values: Sequence[float]) -> float:
    """The last number that is one: where a line ends."""
    return next((v for v in reversed(values) if math.isfinite(v)), math.nan)


def _fit(axes: Axes, curves: Sequence[Sequence[float]], references: Mapping[str, float]) -> None:
    """Scale the y axis to the curves, and to those references that are no further off than the curves are high."""
    drawn = [v for v in chain(*curves) if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(drawn), max(drawn)
    height = (high - low) or abs(high) or 1.0
    near = [v for v in references.values() if low - height <= v <= high + height]
    low, high = min([low, *near]), max([high, *near])
    room = 0.09 * ((high - low) or height)
    axes.set_ylim(low - room, high + 1.4 * room)  # more above: the best point is named there


def _draw_references(axes: Axes, lines: Mapping[str, float]) -> Iterator[Label]:
    """Dashed lines; one beyond the axis is named at its edge with an arrow that says where it would be."""
    low, high = axes.get_ylim()
    for (name, value), dash in zip(lines.items(), cycle(DASHES), strict=False):
        text = f"{name} {value:.3g}"
        if low <= value <= high:
            axes.axhline(value, color=INK, linewidth=1.1, linestyle=dash, zorder=2)
            yield Label(text, value, INK)
        else:
            yield Label(f"{text} ↓" if value < low else f"{text} ↑", min(max(value, low), high), INK)


def _mark_best(axes: Axes, labels: Sequence[str], values: Sequence[float], best: str | None) -> None:
    """Ring the best point and write its level and value above it."""
    if not np.isfinite(values).any():
        return
    at = int(np.nanargmax(values)) if best is None else list(labels).index(best)
    axes.plot(at, values[at], "o", markersize=13, markerfacecolor="none", markeredgecolor=INK, zorder=5)
    look: dict[str, Any] = {"textcoords": "offset points", "fontsize": 10, "color": INK, "zorder": 6}
    side = "left" if at < len(labels) / 6 else "right" if at > len(labels) * 5 / 6 else "center"
    text = axes.annotate(f"best: {labels[at]} ({values[at]:.3g})", (at, values[at]), (0, 11), ha=side, **look)
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _label_levels(axes: Axes, labels: Sequence[str]) -> None:
    """A tick for each level, and as many names as fit; with many blocks, `embed` and every second or third."""
    step = math.ceil(len(labels) / MAX_TICKS)
    first = 1 if labels[0] == "embed" else 0
    shown = [i for i in range(len(labels)) if step == 1 or i == 0 or (i > 1 and (i - first) % step == 0)]
    axes.set_xticks(shown, [labels[i] for i in shown])
    axes.set_xticks(range(len(labels)), minor=True)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    _rule(axes, "y")


def _label_margin(axes: Axes, labels: Iterable[Label]) -> None:
    """Write `labels` right of the axes, each as near to its value as the others allow."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    ordered = sorted((label for label in labels if math.isfinite(label.value)), key=lambda label: label.value)
    wanted = [(label.value - low) / (high - low) for label in ordered]
    lines = [textwrap.wrap(label.text, WRAP) or [""] for label in ordered]
    places = spread(wanted, [LINE_HEIGHT * (len(own) + 0.3) for own in lines])
    for label, own, at, y in zip(ordered, lines, wanted, places, strict=True):
        axes.annotate(
            "\n".join(own), (1.0, at), (1.045, y), xycoords="axes fraction", textcoords="axes fraction",
            va="center", fontsize=10, color=label.colour, fontweight="bold" if label.bold else "normal",
            arrowprops={**LEADER, "color": label.colour}, annotation_clip=False,
        )  # fmt: skip


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres as near as may be to `wanted` (ascending) without overlap.

    Less the room that labels stacked from 0 would take, centres y may not fall: that is isotonic regression, by least
    squares max_{j<=i} min_{k>=i} mean(y_j .. y_k) (Robertson, Wright & Dykstra 1988, "Order restricted statistical
    inference"). It is written out for the handful of labels that there are: scipy.optimize takes longer to import.
    """
    n, stacked = len(wanted), np.cumsum(heights) - np.array(heights) / 2
    y = np.array(wanted) - stacked
    fitted = [max(min(y[j:k].mean() for k in range(i + 1, n + 1)) for j in range(i + 1)) for i in range(n)]
    return (np.array(fitted) + stacked).tolist()


def _rule(axes: Axes, which: Literal["both", "y"]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=which, color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)


def trade_off(points: Sequence[tuple[float, float, str]], *, title: str, xlabel: str, ylabel: str) -> Figure:
    """Draw effect against damage, joined in the order of the doses: `points` are damage, effect and name of each."""
    figure, axes = canvas(7.6, 5.0)
    damage, effect, names = zip(*points, strict=True)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.plot(damage, effect, color=OKABE_ITO[0], linewidth=1.5, marker="o", markersize=6)
    for x, y, name in zip(damage, effect, names, strict=True):
        axes.annotate(name, (x, y), (6, 6), textcoords="offset points", fontsize=9.5, color=INK)
    dress(axes, title, xlabel, ylabel)
    _rule(axes, "both")
    axes.margins(0.1)
    return figure

"""Points in two or three dimensions, coloured by class, several maps side by side.

A class has a colour and a shape, so that it is known without colours too. Beyond `MAX_CLASSES` the smaller classes
share a grey dot: nobody tells thirty colours apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from latentmech.report.figures.style import INK, OKABE_ITO

MARKERS = "osD^vPX"
MAX_CLASSES = 20
GREY = "#9A9A9A"
Colourings = Mapping[str, Int[np.ndarray, " point"]]


@dataclass(frozen=True, kw_only=True)
class PointMap:
    """One map.

    Attributes:
        name: what it is a map of, such as `block 7`.
        coordinates: of every point, in two or three dimensions.
        kind: how it was drawn, such as `t-SNE`; its axes are called so.
        said: per colouring, the line that is printed above it.
    """

    name: str
    coordinates: Float[np.ndarray, "point axis"]
    kind: str
    said: Sequence[str]


@dataclass(frozen=True)
class ClassStyle:
    """How one class is drawn, and which points are in it."""

    name: str
    colour: str
    shape: int | None
    members: np.ndarray

    @property
    def marker(self) -> str:
        """Its shape, as matplotlib calls it."""
        return "." if self.shape is None else MARKERS[self.shape]

    @property
    def legend(self) -> str:
        """Name and size."""
        return f"{self.name} ({len(self.members):,})"


def class_styles(labels: Int[np.ndarray, " point"], classes: Sequence[str]) -> Iterator[ClassStyle]:
    """Large classes first, each with its own colour and shape; the rest together, as `other`."""
    sizes = np.bincount(labels, minlength=len(classes))
    order = [i for i in np.argsort(-sizes, kind="stable").tolist() if sizes[i]]
    room = MAX_CLASSES if len(order) <= MAX_CLASSES else MAX_CLASSES - 1
    for place, i in enumerate(order[:room]):
        colour, shape = OKABE_ITO[place % len(OKABE_ITO)], place % len(MARKERS)
        yield ClassStyle(classes[i], colour, shape, np.flatnonzero(labels == i))
    if order[room:]:
        others = np.flatnonzero(np.isin(labels, order[room:]))
        yield ClassStyle(f"{len(order) - room} other classes", GREY, None, others)


def point_maps(maps: Sequence[PointMap], colourings: Colourings, classes: Sequence[str], title: str) -> Figure:
    """Draw a column for every map and a row for every colouring of its points.

    Args:
        maps: all of the same points.
        colourings: name -> class number of every point; the legend is that of the first.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.12)
    figure = Figure(figsize=(2.4 + 3.7 * len(maps), 0.8 + 3.9 * len(colourings)), layout=layout)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    for row, (name, labels) in enumerate(colourings.items()):
        styles = list(class_styles(labels, classes))
        for column, one in enumerate(maps):
            flat = one.coordinates.shape[1] == 2
            place = row * len(maps) + column + 1
            axes = figure.add_subplot(len(colourings), len(maps), place, projection=None if flat else "3d")
            _scatter(axes, one, styles)
            axes.set_title(f"{one.name}, {name}\n{one.said[row]}", fontsize=9.5, color=INK, loc="left")
    handles = [
        Line2D([], [], color=one.colour, marker=one.marker, linestyle="none", markersize=6, label=one.legend)
        for one in class_styles(next(iter(colourings.values())), classes)
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9.5)
    return figure


def _scatter(axes: Axes, one: PointMap, styles: Sequence[ClassStyle]) -> None:
    for style in styles:
        drawn: dict[str, Any] = {"s": 13, "alpha": 0.75, "linewidths": 0, "c": style.colour, "marker": style.marker}
        axes.scatter(*one.coordinates[style.members].T, **drawn)
    for number, name in enumerate("xyz"[: one.coordinates.shape[1]], 1):
        axes.set(**{f"{name}label": f"{one.kind} axis {number}"})
        getattr(axes, f"{name}axis").label.set(fontsize=9, color=INK)
    axes.tick_params(labelsize=7.5)
    if one.coordinates.shape[1] == 2:
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[["top", "right"]].set_visible(False)

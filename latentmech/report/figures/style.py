"""One look for all pictures.

Figures are built as objects, never through `pyplot`, so drawing leaves no global state and needs no display.
Colours are Okabe & Ito's (https://jfly.uni-koeln.de/color), which colour-blind readers can tell apart;
markers, dashes and names in the margin say the same once more, for readers of a black-and-white print.
"""

import io
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
PER_INCH = 8  # letters of a title


def png(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of so many inches with one set of axes, and some air around them."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    return figure, figure.add_subplot()


def dress(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Title and axis names, in one size and one ink; a title that is wider than the picture takes several lines."""
    title = textwrap.fill(title, int(PER_INCH * axes.figure.bbox.width / axes.figure.dpi))
    axes.set_title(title, loc="left", fontsize=12.5, fontweight="bold", color=INK, pad=12)
    axes.set_xlabel(xlabel, fontsize=10.5, color=INK)
    axes.set_ylabel(ylabel, fontsize=10.5, color=INK)

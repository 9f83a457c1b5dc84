"""What an effect costs: one point for every dose."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from latentmech.report.figures.style import INK, OKABE_ITO, canvas, dress


def trade_off(points: Sequence[tuple[float, float, str]], *, title: str, xlabel: str, ylabel: str) -> Figure:
    """Draw effect against damage, joined in the order of the doses.

    Args:
        points: damage, effect and the name of each dose.
    """
    figure, axes = canvas(7.6, 5.0)
    damage, effect, names = zip(*points, strict=True)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.plot(damage, effect, color=OKABE_ITO[0], linewidth=1.5, marker="o", markersize=6)
    for x, y, name in zip(damage, effect, names, strict=True):
        axes.annotate(name, (x, y), (6, 6), textcoords="offset points", fontsize=9.5, color=INK)
    dress(axes, title, xlabel, ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(0.1)
    return figure

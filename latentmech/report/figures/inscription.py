"""Words in the cells of a heat map, such as what a model would say there."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from latentmech.report.figures.style import INK

LONGEST = 9  # characters that fit into a cell


def inscribe(figure: Figure, words: Sequence[Sequence[str]]) -> Figure:
    """Write one word into each cell of a grid that `heat_map` drew, and make the cells wide enough for it.

    Args:
        words: row by row, as the grid was given.
    """
    axes, image = figure.axes[0], figure.axes[0].images[0]
    figure.set_size_inches(3 + 0.82 * len(words[0]), figure.get_size_inches()[1])
    known = get_font(findfont(FontProperties())).get_charmap()
    bright = np.asarray(image.norm(np.asarray(image.get_array()))) > 0.5  # cividis goes from dark to light
    for row, line in enumerate(words):
        for column, word in enumerate(line):
            colour = INK if bright[row, column] else "white"
            text = _short("".join(c if ord(c) in known else "□" for c in word))
            axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour, parse_math=False)
    return figure


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"

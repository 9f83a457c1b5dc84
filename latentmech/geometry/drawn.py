"""Numbers by level as a reader gets them: a table with a row for each level, and lines with what lies around them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from latentmech.report import Curve, Picture, Table, band, heat_map, layer_curve
from latentmech.statistics import Estimate

Line = Sequence[Estimate] | Sequence[float]


def level_table(
    title: str, levels: Collection[Any], columns: Mapping[str, Sequence[Any]], caption: str, first: str = "layer"
) -> Table:
    """One row for each level, whose ticks stand in the column `first`; an estimate stands there by its value."""
    shown = {name: [getattr(one, "value", one) for one in column] for name, column in columns.items()}
    return Table(title=title, frame=pd.DataFrame({first: [at.tick for at in levels]} | shown), caption=caption)


def with_ends(name: str, line: Sequence[Estimate], low: str = "low", high: str = "high") -> dict[str, Sequence[Any]]:
    """Columns of an estimate and its two ends."""
    ends = band(line)
    return {name: line, low: ends[0], high: ends[1]}


def curves_of(axis: str, lines: Mapping[str, Line]) -> tuple[Curve, ...]:
    """Lines by level as a tracker draws them, against the level's place from 0 on."""
    curves: dict[str, Any] = {name: tuple(getattr(one, "value", one) for one in line) for name, line in lines.items()}
    steps = {name: tuple(map(float, range(len(own)))) for name, own in curves.items()}
    return tuple(Curve(name=name, axis=axis, steps=steps[name], values=own) for name, own in curves.items())


def grid_picture(title: str, caption: str, /, *grid: Any, **drawn: Any) -> Picture:
    """A `heat_map` with its title and caption."""
    return Picture(title=title, figure=heat_map(*grid, **drawn), caption=caption)


def line_picture(
    title: str,
    labels: Sequence[str],
    lines: Mapping[str, Line],
    caption: str,
    /,
    *,
    around: Collection[str] = (),
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    **drawn: Any,
) -> Picture:
    """Lines over levels or whatever else `labels` name.

    Args:
        around: the lines of estimates whose ends are drawn.
        bands: of controls.
        drawn: what `layer_curve` is told beside.
    """
    series: dict[str, Any] = {name: [getattr(one, "value", one) for one in line] for name, line in lines.items()}
    own: dict[str, Any] = {name: band(line) for name, line in lines.items() if name in around}  # type: ignore[arg-type]
    figure = layer_curve(labels, series, own | dict(bands or {}), best="", **drawn)
    return Picture(title=title, figure=figure, caption=caption)

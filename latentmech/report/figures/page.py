"""Maps to walk through: one HTML file with its script inside, which opens with no network.

The page forbids itself to load anything (Content-Security-Policy), so that what a reader hovers over stays at home.
Colours and shapes are those of the pictures; a click on a class hides it, a double click shows it alone.
"""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from latentmech.report.figures.points import ClassStyle, Colourings, PointMap, class_styles
from latentmech.report.figures.style import INK

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SYMBOLS = ("circle", "square", "diamond", "cross", "x", "circle-open", "square-open")  # those that 3-D has as well


def map_page(
    maps: Sequence[PointMap], colourings: Colourings, classes: Sequence[str], texts: Sequence[str],
    *, title: str, intro: str,
) -> str:  # fmt: skip
    """An HTML page with one figure for the flat maps and one for those in three dimensions.

    Args:
        maps: all of the same points; a menu chooses one.
        colourings: name -> class number of every point; they stand side by side.
        texts: what is shown when a point is pointed at. All text is escaped.
    """
    shown = [html.escape(text) for text in texts]
    how = {"full_html": False, "config": {"displaylogo": False, "responsive": True}, "validate": False}
    figures: list[str] = []
    for n_axes in sorted({one.coordinates.shape[1] for one in maps}):
        chosen = [one for one in maps if one.coordinates.shape[1] == n_axes]
        figure = _figure(chosen, colourings, classes, shown)
        figures.append(figure.to_html(include_plotlyjs=not figures, div_id=f"maps-{n_axes}d", **how))
    return filled("map.html.j2", title=title, intro=intro, ink=INK, figures=Markup("\n".join(figures))) + "\n"


def filled(template: str, **values: Any) -> str:
    """A template of this room with `values` in it; all text is escaped, so a user's file cannot become markup."""
    loader = PackageLoader("latentmech.report", package_path="")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return jinja.get_template(template).render(**values)


def _figure(maps: Sequence[PointMap], colourings: Colourings, classes: Sequence[str], texts: Sequence[str]) -> "Figure":
    from plotly.subplots import make_subplots

    n_axes, n = maps[0].coordinates.shape[1], len(colourings)
    kind = "scatter" if n_axes == 2 else "scatter3d"
    figure = make_subplots(1, n, specs=[[{"type": kind}] * n], subplot_titles=[" "] * n)
    members: list[np.ndarray] = []
    for column, labels in enumerate(colourings.values(), 1):
        for style in class_styles(labels, classes):
            figure.add_trace(_trace(kind, style, maps[0], texts, first=column == 1), row=1, col=column)
            members.append(style.members)
    buttons = [_button(one, members, colourings) for one in maps]
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.14, "yanchor": "bottom"}
    figure.update_layout(
        updatemenus=[menu], height=680, template="plotly_white", legend={"itemsizing": "constant"}, font={"color": INK}
    )
    figure.update_layout(margin={"t": 130, "l": 60, "r": 20, "b": 50}, title={"x": 0.01})
    if n_axes == 2:
        for place in range(1, n + 1):
            figure.update_yaxes(scaleanchor=f"x{'' if place == 1 else place}", row=1, col=place)
    figure.update_scenes(camera={"eye": {"x": 1.85, "y": 1.85, "z": 1.2}}, aspectmode="manual")
    figure.plotly_relayout(buttons[0]["args"][1])
    return figure


def _trace(kind: str, style: ClassStyle, one: PointMap, texts: Sequence[str], *, first: bool) -> dict[str, Any]:
    symbol = "circle" if style.shape is None else SYMBOLS[style.shape]
    name, size = html.escape(style.name), 6 if kind == "scatter" else 3
    return {
        **_columns(one, style.members),
        "type": kind,
        "mode": "markers",
        "name": html.escape(style.legend),
        "legendgroup": name,
        "showlegend": first,
        "marker": {"color": style.colour, "symbol": symbol, "size": size, "opacity": 0.8},
        "text": [texts[i] for i in style.members],
        "hovertemplate": f"%{{text}}<extra>{name}</extra>",
    }


def _columns(one: PointMap, members: np.ndarray) -> dict[str, list[float]]:
    """Coordinates by axis, to three decimals: more would only make the file larger."""
    return {name: column.round(3).tolist() for name, column in zip("xyz", one.coordinates[members].T, strict=False)}


def _button(one: PointMap, members: Sequence[np.ndarray], colourings: Colourings) -> dict[str, Any]:
    """Moves the points of every trace to their places in this map, and names axes and panels after it."""
    columns = [_columns(one, own) for own in members]
    places = {name: [own[name] for own in columns] for name in columns[0]}
    layout: dict[str, Any] = {}
    for i, name in enumerate(colourings):
        number = "" if i == 0 else str(i + 1)
        said = html.escape(one.said[i]).replace("\n", "<br>")
        if len(columns[0]) == 3:
            layout[f"scene{number}.aspectratio"] = _sides(one)
        layout[f"annotations[{i}].text"] = f"{html.escape(f'{one.kind}, {one.name}: {name}')}<br><sub>{said}</sub>"
        for axis, which in zip(columns[0], "123", strict=False):
            place = f"{axis}axis{number}" if len(columns[0]) == 2 else f"scene{number}.{axis}axis"
            layout[f"{place}.title.text"] = f"{one.kind} axis {which}"
    return {"label": f"{one.kind}, {one.name}", "method": "update", "args": [places, layout]}


def _sides(one: PointMap) -> dict[str, float]:
    """Sides of the box, in the proportions of the data, the longest 1: so it fits into the picture with its titles.

    Plotly's own `data` keeps the volume instead, and the ends of a long box fall outside. A side is at least a
    twentieth: there are points that lie in a plane.
    """
    sides = np.ptp(one.coordinates, axis=0)
    shares = np.maximum(sides / max(sides.max(), np.finfo(float).tiny), 0.05)
    return dict(zip("xyz", shares.round(3).tolist(), strict=True))

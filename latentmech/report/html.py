"""The report as one HTML file: no network, no script, nothing beside it; it can be mailed and printed."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from latentmech.report.cells import column_cells, is_numeric, visible
from latentmech.report.figures import png
from latentmech.report.report import Picture, Report, Table
from latentmech.storage import plain


def render_html(report: Report, command: str, config_yaml: str, provenance: Mapping[str, Any]) -> str:
    """Everything the report says, with the command, the settings and the versions that produced it.

    All text is escaped: a class name or a prompt from a user's file cannot become markup.
    """
    template = _environment().get_template("report.html.j2")
    return template.render(
        report=report,
        command=command,
        config_yaml=config_yaml,
        tables=[_table(table) for table in report.tables.values()],
        pictures=[_picture(picture) for picture in report.pictures.values()],
        metrics={name: column_cells(pd.Series([value]))[0] for name, value in sorted(report.metrics.items())},
        provenance=dict(flattened(plain(dict(report.provenance) | dict(provenance)))),
    )


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested mapping as `outer.inner` -> value."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _environment() -> Environment:
    loader = PackageLoader("latentmech.report", package_path="")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _table(table: Table) -> dict[str, Any]:
    frame = visible(table.frame)
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    return {
        "title": table.title,
        "caption": table.caption,
        "names": list(frame.columns),
        "numeric": list(map(is_numeric, columns)),
        "rows": list(zip(*map(column_cells, columns), strict=True)),
    }


def _picture(picture: Picture) -> dict[str, Any]:
    data = base64.b64encode(png(picture.figure)).decode()
    return {
        "title": picture.title,
        "caption": picture.caption,
        "width": round(96 * picture.figure.get_figwidth()),  # CSS pixels to the inch
        "source": Markup(f"data:image/png;base64,{data}"),
    }

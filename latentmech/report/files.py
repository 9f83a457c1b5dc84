"""What a run leaves in its folder. Scripts and later papers rely on these names and formats.

The report is one HTML file: no network, no script, nothing beside it; it can be mailed and printed.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from latentmech.report.cells import column_cells, is_numeric, visible
from latentmech.report.figures import png
from latentmech.report.references import REFERENCES
from latentmech.report.report import Method, Picture, Report, Table
from latentmech.storage import plain, save_json, write_bytes
from latentmech.tensors import save_tensors


def write_run(
    folder: Path, report: Report, command: str, config_yaml: str, provenance: Mapping[str, Any]
) -> dict[str, Path]:
    """Write everything that a run leaves behind, each file whole or not at all.

    `run.json` comes last: where it is there, all the rest is.

    Returns:
        Name -> path of what a reader may want to open; a folder stands for the files in it.
    """
    facts = dict(report.provenance) | dict(provenance)
    html = render_html(report, command, config_yaml, provenance)
    _write_numbers(folder, report)
    _write_extras(folder, report)
    write_bytes(folder / "config.yaml", config_yaml.encode())
    write_bytes(folder / "report.html", html.encode())
    for name, export in report.exports.items():
        export(folder / name)
    save_json(folder / "run.json", plain(facts))
    return _written(folder, report)


def _write_numbers(folder: Path, report: Report) -> None:
    buffer = io.BytesIO()
    report.frame().to_parquet(buffer, index=False)
    write_bytes(folder / "results.parquet", buffer.getvalue())
    save_json(folder / "metrics.json", plain(report.metrics))


def _write_extras(folder: Path, report: Report) -> None:
    for name, table in report.tables.items():
        text = visible(table.frame).to_csv(index=False)
        write_bytes(folder / "tables" / f"{name}.csv", text.encode())
    for name, picture in report.pictures.items():
        write_bytes(folder / "figures" / f"{name}.png", png(picture.figure))
    for name, page in report.pages.items():
        write_bytes(folder / f"{name}.html", page.encode())
    if report.methods:
        write_bytes(folder / "methods.md", as_markdown(report.title, report.methods).encode())
    for name, (tensors, card) in report.artifacts.items():
        save_tensors(folder / name, tensors, plain(card))


def _written(folder: Path, report: Report) -> dict[str, Path]:
    """The files that are always there, and the folders that this report has something in."""
    names = {"report": "report.html", "metrics": "metrics.json", "results": "results.parquet"}
    names |= {"settings": "config.yaml", "provenance": "run.json"}
    names |= {"tables": "tables"} if report.tables else {}
    names |= {"figures": "figures"} if report.pictures else {}
    names |= {name: f"{name}.html" for name in report.pages} | ({"methods": "methods.md"} if report.methods else {})
    names |= {Path(name).parts[0]: Path(name).parts[0] for name in (*report.artifacts, *report.exports)}
    return {name: folder / file for name, file in names.items()}


def as_markdown(title: str, methods: Sequence[Method]) -> str:
    """The steps as paragraphs with their citations, and the BibTeX entries of these."""
    steps = [f"{one.said} [{'; '.join(f'@{key}' for key in one.cites)}]".removesuffix(" []") for one in methods]
    entries = [REFERENCES[key] for key in sorted({key for one in methods for key in one.cites})]
    bibtex = ["## References", "```bibtex\n" + "\n\n".join(entries) + "\n```"] if entries else []
    return "\n\n".join([f"# Methods: {title}", *steps, *bibtex]) + "\n"


def render_html(report: Report, command: str, config_yaml: str, provenance: Mapping[str, Any]) -> str:
    """Everything the report says, with the command, the settings and the versions that produced it.

    All text is escaped: a class name or a prompt from a user's file cannot become markup.
    """
    loader = PackageLoader("latentmech.report", package_path="")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return jinja.get_template("report.html.j2").render(
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

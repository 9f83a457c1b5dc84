"""What a run leaves in its folder. Scripts and later papers rely on these names and formats."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentmech.report.cells import visible
from latentmech.report.figures import png
from latentmech.report.html import render_html
from latentmech.report.methods import as_markdown
from latentmech.report.report import Report
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

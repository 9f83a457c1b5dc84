"""What a run leaves in its folder. Scripts and later papers rely on these names and formats.

The report is one HTML file: no network, no script, nothing beside it; it can be mailed and printed.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from latentmech.report.cells import column_cells, columns_of, is_numeric, visible
from latentmech.report.figures.page import filled
from latentmech.report.report import Method, Report, references
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
    texts = {"report.html": render_html(report, command, config_yaml, provenance), "config.yaml": config_yaml}
    texts |= {f"tables/{name}.csv": visible(table.frame).to_csv(index=False) for name, table in report.tables.items()}
    texts |= {f"{name}.html": page for name, page in report.pages.items()}
    texts |= {"methods.md": as_markdown(report.title, report.methods)} if report.methods else {}
    buffer = io.BytesIO()
    report.frame().to_parquet(buffer, index=False)
    write_bytes(folder / "results.parquet", buffer.getvalue())
    save_json(folder / "metrics.json", plain(report.metrics))
    for name, text in texts.items():
        write_bytes(folder / name, text.encode())
    for name, picture in report.pictures.items():
        write_bytes(folder / "figures" / f"{name}.png", picture.png)
    for name, (tensors, card) in report.artifacts.items():
        save_tensors(folder / name, tensors, plain(card))
    for name, export in report.exports.items():
        export(folder / name)
    save_json(folder / "run.json", plain(dict(report.provenance) | dict(provenance)))
    return {name: folder / file for name, file in _written(report)}


def _written(report: Report) -> Iterator[tuple[str, str]]:
    yield from (("report", "report.html"), ("metrics", "metrics.json"), ("results", "results.parquet"))
    yield from (("settings", "config.yaml"), ("provenance", "run.json"))
    yield from ((name, name) for name, some in (("tables", report.tables), ("figures", report.pictures)) if some)
    yield from ((name, f"{name}.html") for name in report.pages)
    yield from [("methods", "methods.md")] if report.methods else []
    yield from ((Path(name).parts[0], Path(name).parts[0]) for name in (*report.artifacts, *report.exports))


def as_markdown(title: str, methods: Sequence[Method]) -> str:
    """The steps as paragraphs with their citations, and the BibTeX entries of these."""
    steps = [f"{one.said} [{'; '.join(f'@{key}' for key in one.cites)}]".removesuffix(" []") for one in methods]
    entries = [references()[key] for key in sorted({key for one in methods for key in one.cites})]
    bibtex = ["## References", "```bibtex\n" + "\n\n".join(entries) + "\n```"] if entries else []
    return "\n\n".join([f"# Methods: {title}", *steps, *bibtex]) + "\n"


def render_html(report: Report, command: str, config_yaml: str, provenance: Mapping[str, Any]) -> str:
    """Everything the report says, with the command, the settings and the versions that produced it; text is escaped."""
    tables = [(table, columns_of(visible(table.frame))) for table in report.tables.values()]
    return filled(
        "report.html.j2",
        report=report,
        command=command,
        config_yaml=config_yaml,
        tables=[(table, columns, list(zip(*map(column_cells, columns), strict=True))) for table, columns in tables],
        is_numeric=is_numeric,
        pictures=[(own, base64.b64encode(own.png).decode()) for own in report.pictures.values()],
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

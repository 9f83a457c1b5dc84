"""One W&B run: start it without a word or a question, and log a report into it.

Curves get their own axis (`define_metric`), so that a level or a strength is on the x axis and not a time step.
Summaries hold the flat metrics and nothing derived from curves: the last level's value is not a result.
"""

import io
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import wandb
from PIL import Image

from latentmech.report.cells import visible
from latentmech.report.report import Curve, Report, Table
from latentmech.storage import plain
from latentmech.tensors import save_tensors

KINDS = {"directions": "direction"}  # folders whose files are artifacts, and how W&B calls them


def start(sink: Any, config: Mapping[str, Any], folder: Path, mode: str) -> wandb.Run:
    """A run whose files lie in `folder/wandb`, named and timed as the settings of the sink say."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        silent=True, quiet=True, console="off",
        init_timeout=sink.init_timeout, finish_timeout=sink.finish_timeout, finish_timeout_raises=True,
    )  # fmt: skip
    wandb.setup(settings=settings)  # `init` alone still tells where it found the key
    named: dict[str, Any] = {n: getattr(sink, n) for n in ("project", "entity", "group", "name", "job_type")}
    named |= {"tags": list(sink.tags), "mode": mode, "dir": folder}
    return wandb.init(config=dict(config), settings=settings, **named)


def log(run: wandb.Run, report: Report) -> None:
    """Curves as history, flat metrics as the summary, tables, pictures and pages as media, directions as artifacts.

    Numbers come first: what fails later does not take them along.
    """
    for axis in {curve.axis: None for curve in report.curves}:
        _log_curves(run, axis, [curve for curve in report.curves if curve.axis == axis])
    run.summary.update(plain(report.metrics))
    tables = {f"tables/{name}": _table(table) for name, table in report.tables.items()}
    pictures = {
        f"figures/{name}": wandb.Image(Image.open(io.BytesIO(own.png)), caption=own.caption or own.title)
        for name, own in report.pictures.items()
    }
    # As they are: W&B would put a style sheet from its own server into them, which a page forbids itself.
    pages = {f"pages/{k}": wandb.Html(page, inject=False, data_is_not_path=True) for k, page in report.pages.items()}
    if tables or pictures or pages:
        run.log(tables | pictures | pages)
    for artifact in artifacts_of(report):
        run.log_artifact(artifact)


def _log_curves(run: wandb.Run, axis: str, curves: Sequence[Curve]) -> None:
    """One history row for each step on the axis, with every curve that has a number there."""
    run.define_metric(axis, summary="none")
    rows: dict[float, dict[str, float]] = defaultdict(dict)
    for curve in curves:
        run.define_metric(curve.name, step_metric=axis, summary="none")
        for step, value in zip(curve.steps, curve.values, strict=True):
            if plain(value) is not None:
                rows[step][curve.name] = value
    for step in sorted(rows):
        run.log({axis: step, **rows[step]})


def _table(table: Table) -> wandb.Table:
    frame = visible(table.frame).astype(object)
    rows = plain(frame.where(frame.notna(), None).values)
    return wandb.Table(columns=list(map(str, frame.columns)), data=rows, allow_mixed_types=True)


def artifacts_of(report: Report) -> Iterator[wandb.Artifact]:
    """One artifact a direction, with the same two files that the run leaves on disk; the card is its metadata."""
    for name, (tensors, card) in report.artifacts.items():
        path = PurePath(name)
        if path.parts[0] in KINDS:
            stem = re.sub(r"[^\w.-]+", "_", path.stem)
            artifact = wandb.Artifact(stem, type=KINDS[path.parts[0]], metadata=plain(card))
            with tempfile.TemporaryDirectory() as folder:
                save_tensors(Path(folder) / path.name, tensors, plain(card))
                artifact.add_dir(folder)  # takes copies
            yield artifact

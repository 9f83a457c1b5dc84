"""Every number of an atlas, by its flat name and as a tidy row."""

from collections.abc import Sequence

import numpy as np

from latentmech.model import Level
from latentmech.probe.atlas.order import arrival, stages
from latentmech.probe.atlas.row import AtlasRow, depth
from latentmech.probe.atlas.transfer import Matrix
from latentmech.report import Ledger
from latentmech.statistics import Estimate


def numbers(rows: Sequence[AtlasRow], transfers: Sequence[Matrix], ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    for row in rows:
        _levels(row, ledger)
        _twin(row, ledger)
        _baselines(row, ledger)
        _test(row, ledger)
        _controls(row, ledger)
    for stage in stages(rows):
        ledger.add(f"probe/{stage.name}/arrival", stage.arrival, "arrival", task=stage.name, split="dev")
    for matrix in transfers:
        _transfer(matrix, ledger)


def control_mean(row: AtlasRow, name: str) -> float:
    """Test accuracy of one kind of control at the chosen level, over its seeds; NaN if there is none."""
    values = row.controls_test.get(name, ())
    return float(np.mean(values)) if len(values) else float("nan")


def _levels(row: AtlasRow, ledger: Ledger) -> None:
    for i, level in enumerate(row.levels):
        place = {**_at(row, level), "split": "dev", "control": "embed" if level.layer is None else None}
        ledger.add(f"probe/{row.name}/{level.label}/dev/{row.metric}", row.dev.estimate(i), row.metric, **place)
        gain = row.dev.difference(i, row.floor)
        ledger.add(f"probe/{row.name}/{level.label}/gain", gain, "gain", **place)
        ledger.add(f"probe/{row.name}/{level.label}/not_worse", float(i in row.equals), "not_worse", **place)
        for name, values in row.controls_dev.items():
            own = {**place, "control": f"{name}_mean"}
            ledger.add(f"probe/{row.name}/{name}/{level.label}/dev/accuracy", values[i], "accuracy", **own)


def _twin(row: AtlasRow, ledger: Ledger) -> None:
    for i, level in enumerate(row.twin_levels):
        assert row.twin is not None
        place = {**_at(row, level), "split": "dev", "control": "random_init"}
        name = f"probe/{row.name}/random_init/{level.label}/dev/{row.metric}"
        ledger.add(name, row.twin.estimate(i), row.metric, **place)


def _baselines(row: AtlasRow, ledger: Ledger) -> None:
    for i, name in enumerate(row.baselines, start=len(row.levels)):
        place = {"task": row.name, "split": "dev", "control": name}
        ledger.add(f"probe/{row.name}/{name}/dev/{row.metric}", row.dev.estimate(i), row.metric, **place)


def _test(row: AtlasRow, ledger: Ledger) -> None:
    best = row.levels[row.best]
    for name in row.readers:
        flat = f"probe/{row.name}/test" if name == "probe" else f"probe/{row.name}/{name}/test"
        place: dict[str, object] = {"task": row.name, "split": "test"}
        place |= {"layer": best.layer} if name == "probe" else {"control": name}
        ledger.add(f"{flat}/{row.metric}", row.on_test(name), row.metric, **place)
    at = {**_at(row, best), "split": "dev"}
    ledger.add(f"probe/{row.name}/best_depth", depth(best), "best_depth", **at)
    ledger.add(f"probe/{row.name}/not_worse/count", len(row.equals), "not_worse_count", **at)
    ledger.add(f"probe/{row.name}/gain", row.gain, "gain", **{**at, "split": "test", "control": row.rival})
    ledger.add(f"probe/{row.name}/arrival", arrival(row), "arrival", task=row.name, split="dev")


def _controls(row: AtlasRow, ledger: Ledger) -> None:
    place = {**_at(row, row.levels[row.best]), "split": "test"}
    for name, values in row.controls_test.items():
        spread = Estimate(control_mean(row, name), min(values), max(values), len(values))
        own = {**place, "control": f"{name}_mean"}
        ledger.add(f"probe/{row.name}/{name}/test/accuracy", spread, "accuracy", **own)
    if "control_task" in row.controls_test:
        gap = row.accuracy_test - control_mean(row, "control_task")
        ledger.add(f"probe/{row.name}/selectivity", gap, "selectivity", **place)


def _transfer(matrix: Matrix, ledger: Ledger) -> None:
    for source, cells in zip(matrix.names, matrix.cells, strict=True):
        for target, cell in zip(matrix.names, cells, strict=True):
            place = {"task": f"{matrix.task}@{target}", "split": "test", "control": f"trained on {source}"}
            ledger.add(f"probe/{matrix.task}/transfer/{source}/{target}/accuracy", cell, "accuracy", **place)


def _at(row: AtlasRow, level: Level) -> dict[str, object]:
    return {"task": row.name, "layer": level.layer}

"""The tables of an atlas: every task on test, every level on dev, transfer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentmech.model import Level
from latentmech.probe.atlas.findings import AtlasRow, AtlasTransfer
from latentmech.probe.findings import NAMES
from latentmech.report import Table

TOKENS = {"embed": "lens at the embedding", "majority": "commonest token", "lookup": "commonest token after the word"}


def task_table(rows: Sequence[AtlasRow]) -> Table:
    """One row per task, with what it had to beat."""
    caption = (
        "Test, read once, at the level chosen on dev; 95 % intervals over documents or groups. The rival is the one "
        "that comes nearest of all that lack the information, the gain over it paired. ≈ are the levels not shown to "
        "be worse on dev. Selectivity is the lead over the control task. Arrival is the depth where the gain appears "
        "on dev, from 0, the embedding, to 1, the last block; – for a task that is not shown to gain there."
    )
    return Table(title="Task by task, on test", frame=pd.DataFrame(list(map(_task, rows))), caption=caption)


def _task(row: AtlasRow) -> dict[str, object]:
    score, nearest = row.on_test["probe"], row.nearest
    cells: dict[str, object] = {"task": row.name, "peak": row.peak.tick}
    cells |= {"≈": spelled(row.levels, row.equals), "metric": in_words(row.metric)}
    cells |= score.cells("test", "low", "high")
    cells |= {"rival": called(nearest.rival, row), "its": nearest.value, **nearest.difference.cells("gain")}
    cells |= {"majority": row.on_test["majority"].value, "embed": row.on_test["embed"].value}
    cells["random init"] = row.on_test["random_init"].value if "random_init" in row.on_test else np.nan
    cells |= row.selectivity.cells("selectivity")
    return cells | {
        "shuffled": row.control("shuffled").value,
        "arrival": row.arrival.value,
        "n": score.n,
        "groups": score.groups,
        "n train": row.n_train,
        "unit": row.unit,
    }


def level_table(rows: Sequence[AtlasRow]) -> Table:
    """Dev gains, level by level; the score of the baseline that was subtracted stands in the first line."""
    levels = rows[0].levels
    first = {"layer": "baseline", **{row.name: row.floor.value for row in rows}}
    frame = [{"layer": level.tick, **{row.name: float(row.gains[i]) for row in rows}} for i, level in enumerate(levels)]
    caption = (
        "Dev score minus that of the strongest answer without the model on dev, which stands in the first line. The "
        "penalty of every level was chosen on dev, so dev flatters all levels a little."
    )
    return Table(title="Level by level, on dev", frame=pd.DataFrame([first, *frame]), caption=caption)


def transfer_table(matrix: AtlasTransfer) -> Table:
    """Test scores of every set's probe on every set."""
    frame = pd.DataFrame(np.vstack([matrix.values, matrix.majority]), columns=list(matrix.names))
    frame.insert(0, "trained on", [*matrix.names, "majority"])
    metrics = " or ".join(dict.fromkeys(map(in_words, matrix.metrics)))
    caption = (
        f"Test {metrics} on each set (columns) of the probe trained on each, at the level that its own dev chose. "
        "Sets may be alike in style as well as in what is asked."
    )
    return Table(title=f"Transfer of {matrix.task}", frame=frame, caption=caption)


def spelled(levels: Sequence[Level], indices: Sequence[int] | None) -> str:
    """Levels as a list of runs: `embed, 3–7, 9`; `?` where it could not be told which."""
    if indices is None:
        return "?"
    runs: list[list[int]] = []
    for i in sorted(indices):
        if runs and i == runs[-1][-1] + 1 and levels[runs[-1][0]].layer is not None:
            runs[-1].append(i)
        else:
            runs.append([i])
    ends = [(levels[run[0]].tick, levels[run[-1]].tick) for run in runs]
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in ends)


def called(rival: str, row: AtlasRow) -> str:
    """A rival as a sentence names it."""
    return (TOKENS if row.unit == "token" else NAMES).get(rival, in_words(rival))


def in_words(name: str) -> str:
    """A metric's name as a sentence has it."""
    return name.replace("_", " ")

"""The tables of an atlas: every task on test, every level on dev, transfer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentmech.probe.atlas.numbers import control_mean
from latentmech.probe.atlas.order import arrival
from latentmech.probe.atlas.row import AtlasRow
from latentmech.probe.atlas.transfer import Matrix
from latentmech.probe.atlas.words import named, spelled
from latentmech.report import Table


def task_table(rows: Sequence[AtlasRow]) -> Table:
    """One row per task, with what it had to beat."""
    caption = (
        "Test, read once, at the level chosen on dev; 95 % intervals over documents or groups. The rival is the "
        "strongest answer without the model, the gain over it paired. ≈ are the levels not shown to be worse on dev. "
        "Selectivity and shuffled are in accuracy. Arrival is the depth where the gain appears, from 0, the embedding,"
        " to 1, the last block."
    )
    return Table(title="Task by task, on test", frame=pd.DataFrame(list(map(_task, rows))), caption=caption)


def _task(row: AtlasRow) -> dict[str, object]:
    score, gain = row.on_test("probe"), row.gain
    cells: dict[str, object] = {"task": row.name, "peak": row.levels[row.best].tick}
    cells |= {"≈": spelled(row.levels, row.equals), "metric": row.metric}
    cells |= {"test": score.value, "low": score.ci_low, "high": score.ci_high}
    cells |= {"rival": named(row.rival), "its": row.on_test(row.rival).value}
    cells |= {"gain": gain.value, "gain low": gain.ci_low, "gain high": gain.ci_high}
    cells |= {"majority": row.on_test("majority").value, "embed": row.on_test("embed").value}
    cells["random init"] = row.on_test("random_init").value if "random_init" in row.readers else np.nan
    cells["selectivity"] = row.accuracy_test - control_mean(row, "control_task")
    cells["shuffled"] = control_mean(row, "shuffled")
    return cells | {
        "arrival": arrival(row).value,
        "n": score.n,
        "groups": row.test.groups,
        "n train": row.n_train,
        "unit": row.unit,
    }


def level_table(rows: Sequence[AtlasRow]) -> Table:
    """Dev gains, level by level; the score of the baseline that was subtracted stands in the first line."""
    levels = rows[0].levels
    first = {"layer": "baseline", **{row.name: float(row.dev.values[row.floor]) for row in rows}}
    frame = [{"layer": level.tick, **{row.name: float(row.gains[i]) for row in rows}} for i, level in enumerate(levels)]
    caption = (
        "Dev score minus that of the strongest baseline on dev, which stands in the first line. The penalty of every "
        "level was chosen on dev, so dev flatters all levels a little."
    )
    return Table(title="Level by level, on dev", frame=pd.DataFrame([first, *frame]), caption=caption)


def transfer_table(matrix: Matrix) -> Table:
    """Test accuracy of every set's probe on every set."""
    frame = pd.DataFrame(np.vstack([matrix.values, matrix.majority]), columns=list(matrix.names))
    frame.insert(0, "trained on", [*matrix.names, "majority"])
    caption = "Test accuracy on each set (columns) of the probe trained on each, at the level that its own dev chose."
    return Table(title=f"Transfer of {matrix.task}", frame=frame, caption=caption)

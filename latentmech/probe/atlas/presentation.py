"""From the rows to a `Report`: where each task peaks, in words; the map; the table of what each had to beat."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.data.examples import distinct
from latentmech.model import Level, Model
from latentmech.probe.atlas.numbers import control_mean, depth, numbers
from latentmech.probe.atlas.order import arrival, order_in_words
from latentmech.probe.atlas.row import AtlasRow
from latentmech.probe.atlas.sources import Sources
from latentmech.probe.atlas.transfer import Matrix
from latentmech.report import Curve, Ledger, Picture, Report, Table, heat_map
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from latentmech.probe.atlas.study import AtlasStudy

XLABEL = "level of the residual stream (embed, then the output of each block)"
FEW = 10  # groups below which a percentile interval cannot be trusted


def present(
    study: "AtlasStudy", rows: Sequence[AtlasRow], transfers: Sequence[Matrix], model: Model, sources: Sources
) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "probe", "site": study.site, "method": study.method})
    numbers(rows, transfers, ledger)
    tables = {"tasks": _task_table(rows), "levels": _level_table(rows)}
    pictures = {"atlas": _map(rows, model), "shape": _shape(rows, model)}
    for matrix in transfers:
        tables[f"transfer_{matrix.task}"] = _transfer_table(matrix)
        pictures[f"transfer_{matrix.task}"] = _transfer_picture(matrix, model)
    return Report(
        title=f"layer atlas of {model.name}",
        headline=headline(rows, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        curves=tuple(_curves(rows)),
        notes=(*map(in_words, rows), *_notes(study, rows, model, sources)),
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": {
                "source": ", ".join(distinct(row.source for row in rows)),
                "fingerprint": fingerprint([sources.data.texts, sources.data.splits]),
            },
        },
    )


def headline(rows: Sequence[AtlasRow], model: Model) -> str:
    """How many tasks are there beyond the words, and whether they come in the famous order."""
    gaining = [row.name for row in rows if row.gain.ci_low > 0]
    shown = f" ({', '.join(gaining)})" if gaining else ""
    counted = f"{len(gaining)} of {len(rows)} tasks can be read from {model.name} better than without it{shown}."
    return f"{counted} {order_in_words(rows)}"


def in_words(row: AtlasRow) -> str:
    """Where one task peaks, which levels are not worse, and what that is worth."""
    peak, score, gain = row.levels[row.best].place, row.on_test("probe"), row.gain
    verdict = "more than" if gain.ci_low > 0 else "less than" if gain.ci_high < 0 else "not clearly more than"
    return (
        f"{row.name} peaks at {peak}; not shown to be worse: {spelled(row.levels, row.equals)}. Test {row.metric} "
        f"{score.value:.3f} [{score.ci_low:.3f}, {score.ci_high:.3f}], {verdict} {named(row.rival)} "
        f"({row.on_test(row.rival).value:.3f}): {gain.value:+.3f} [{gain.ci_low:+.3f}, {gain.ci_high:+.3f}]."
    )


def spelled(levels: Sequence[Level], indices: Sequence[int]) -> str:
    """Levels as a list of runs: `embed, 3–7, 9`."""
    runs: list[list[int]] = []
    for i in sorted(indices):
        if runs and i == runs[-1][-1] + 1 and levels[runs[-1][0]].layer is not None:
            runs[-1].append(i)
        else:
            runs.append([i])
    ends = [(levels[run[0]].tick, levels[run[-1]].tick) for run in runs]
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in ends)


def named(reader: str) -> str:
    """A baseline as a sentence names it."""
    return reader.replace("_", " ").replace("lookup", "look-up")


def _task_table(rows: Sequence[AtlasRow]) -> Table:
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


def _level_table(rows: Sequence[AtlasRow]) -> Table:
    """Dev gains, level by level; the score of the baseline that was subtracted stands in the first line."""
    levels = rows[0].levels
    first = {"layer": "baseline", **{row.name: float(row.dev.values[row.floor]) for row in rows}}
    frame = [{"layer": level.tick, **{row.name: float(row.gains[i]) for row in rows}} for i, level in enumerate(levels)]
    caption = (
        "Dev score minus that of the strongest baseline on dev, which stands in the first line. The penalty of every "
        "level was chosen on dev, so dev flatters all levels a little."
    )
    return Table(title="Level by level, on dev", frame=pd.DataFrame([first, *frame]), caption=caption)


def _map(rows: Sequence[AtlasRow], model: Model) -> Picture:
    figure = heat_map(
        np.stack([row.gains for row in rows]),
        [f"{row.name}  ({row.dev.values[row.floor]:.2f})" for row in rows],
        [level.tick for level in rows[0].levels],
        title=f"What each level of {model.name} holds, beyond the words",
        xlabel=XLABEL,
        ylabel="task (the baseline that is subtracted)",
        bar="dev score minus baseline",
        marks=[(i, row.best) for i, row in enumerate(rows)],
        around_zero=True,
    )
    caption = (
        "Dev accuracy (F1 for proper nouns) minus the strongest answer without the model, which stands in brackets. "
        "Zero is white: there the level says no more than the words do. Each task's peak is framed."
    )
    return Picture(title="Atlas", figure=figure, caption=caption)


def _shape(rows: Sequence[AtlasRow], model: Model) -> Picture:
    """The same map with every row from its lowest to its highest level."""
    scores = np.stack([row.dev.values[: len(row.levels)] for row in rows])
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    figure = heat_map(
        np.divide(scores - low, high - low, out=np.full_like(scores, np.nan), where=high > low),
        [f"{row.name}  ({a:.2f}–{b:.2f})" for row, a, b in zip(rows, low[:, 0], high[:, 0], strict=True)],
        [level.tick for level in rows[0].levels],
        title=f"Where each task lies in {model.name}",
        xlabel=XLABEL,
        ylabel="task (its lowest and highest dev score)",
        bar="from its worst level to its best",
        marks=[(i, j) for i, row in enumerate(rows) for j in row.equals],
    )
    caption = (
        "Every task stretched from its lowest dev score to its highest, so that shapes can be compared. Framed: the "
        "levels not shown to be worse than the best. Where the scores in brackets are close, the colours show noise."
    )
    return Picture(title="Shape", figure=figure, caption=caption)


def _transfer_table(matrix: Matrix) -> Table:
    frame = pd.DataFrame(np.vstack([matrix.values, matrix.majority]), columns=list(matrix.names))
    frame.insert(0, "trained on", [*matrix.names, "majority"])
    caption = "Test accuracy on each set (columns) of the probe trained on each, at the level that its own dev chose."
    return Table(title=f"Transfer of {matrix.task}", frame=frame, caption=caption)


def _transfer_picture(matrix: Matrix, model: Model) -> Picture:
    figure = heat_map(
        matrix.values - np.array(matrix.majority),
        matrix.names,
        matrix.names,
        title=f"Transfer of {matrix.task} in {model.name}",
        xlabel="tested on",
        ylabel="trained on",
        bar="test accuracy minus majority",
        around_zero=True,
    )
    caption = "Test accuracy of each set's probe on each set, minus what the commonest class scores there."
    return Picture(title=f"Transfer of {matrix.task}", figure=figure, caption=caption)


def _curves(rows: Sequence[AtlasRow]) -> list[Curve]:
    """Gains against depth: 0 is the embedding, k the output of block k - 1."""
    steps = tuple(float(depth(level)) for level in rows[0].levels)
    name = "probe/{}/gain_by_depth".format
    return [
        Curve(name=name(row.name), axis="probe/depth", steps=steps, values=tuple(map(float, row.gains))) for row in rows
    ]


def _notes(study: "AtlasStudy", rows: Sequence[AtlasRow], model: Model, sources: Sources) -> list[str]:
    """What a reader must know before believing the map."""
    notes = [*sources.notes, *distinct(f"{row.source}: {note}" for row in rows for note in row.notes)]
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    off = {
        "random-init twin": not study.random_init,
        "control task": study.control_seeds == 0,
        "shuffled labels": study.shuffles == 0,
    }
    notes += [f"Switched off by setting: {name}." for name, is_off in off.items() if is_off]
    if study.random_init and study.twin_step > 1:
        notes.append(f"Of the random-init twin only the embedding and blocks 0, {study.twin_step}, … were measured.")
    notes.append("No control task where whole texts or pairs are labelled: it needs words that recur.")
    if any(row.stage == "output" for row in rows):
        notes.append(
            "The next token is read by the model's own head: nothing is trained, so it has no twin or control."
        )
    elif "next_token" in study.tasks:
        notes.append(f"No next token: the head does not read {study.site}.")
    if few := distinct(f"{row.source} ({row.test.groups})" for row in rows if row.test.groups < FEW):
        notes.append(f"Few groups on test, so intervals are too narrow: {', '.join(few)}.")
    if any(row.unit == "pair" for row in rows):
        notes.append(
            "A mention's state knows nothing of what follows it: what decides a pair must stand before its end."
        )
    return [
        *notes,
        "Not measured here: online code length, scores without duplicates; probe=pos and its like have them.",
    ]

"""What an atlas says: numbers, tables, the map and its shape, sentences."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import numpy as np
import pandas as pd

from latentmech.model import Level, Model
from latentmech.probe.atlas.findings import ORDER, AtlasFindings, AtlasRow, AtlasTransfer, depth
from latentmech.probe.findings import CONTROL, NAMES
from latentmech.report import Ledger, Method, Picture, Report, Table, account, by_depth, heat_map
from latentmech.statistics import FEWEST, Estimate, verdict
from latentmech.storage import fingerprint

XLABEL = "level of the residual stream (embed, then the output of each block)"
TOKENS = {"embed": "lens at the embedding", "majority": "commonest token", "lookup": "commonest token after the word"}
CLAIM = "“Syntax early, semantics in the middle, output late”"


def account_of(study: object, found: AtlasFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "probe", "site": found.site, "method": found.method})
    numbers(found, ledger)
    rows, transfers = found.rows, {f"transfer_{one.task}": transfer_of(one, found.model) for one in found.transfers}
    tables = {"tasks": task_table(rows), "levels": level_table(rows)}
    curves = {f"probe/{row.name}/gain_by_depth": row.gains.tolist() for row in rows}
    read = [[examples.texts, examples.splits, examples.spans] for examples in found.data]
    source = ", ".join(dict.fromkeys(examples.source for examples in found.data))
    return account(
        study, model, ledger,
        title=f"layer atlas of {found.model}",
        headline=f"{gains_in_words(found)} {order_in_words(found)}",
        tables=tables | {name: table for name, (table, _) in transfers.items()},
        pictures=pictures_of(rows, found.model) | {name: picture for name, (_, picture) in transfers.items()},
        curves=by_depth("probe/depth", rows[0].levels, curves),
        groups="documents or groups",
        notes=notes(found),
        methods=methods(found),
        provenance={"data": {"source": source, "fingerprint": fingerprint(read)}},
    )  # fmt: skip


def numbers(found: AtlasFindings, ledger: Ledger) -> None:
    """Every number, by its flat name and as a tidy row."""
    for row in found.rows:
        add = partial(_add, ledger, row.name)
        _on_dev(row, add)
        _on_test(row, add)
    for stage in found.stages:
        _add(ledger, stage.name, "arrival", stage.arrival, split="dev")
    for matrix in found.transfers:
        for source, cells in zip(matrix.names, matrix.cells, strict=True):
            for target, metric, cell in zip(matrix.names, matrix.metrics, cells, strict=True):
                columns = {"task": f"{matrix.task}@{target}", "split": "test", "control": f"trained on {source}"}
                _add(ledger, matrix.task, f"transfer/{source}/{target}/{metric}", cell, **columns)


def _add(
    ledger: Ledger, prefix: str, name: str, value: Estimate | float | int, metric: str | None = None, **columns: object
) -> None:
    ledger.add(f"probe/{prefix}/{name}", value, metric, **{"task": prefix} | columns)


def _on_dev(row: AtlasRow, add: Callable[..., None]) -> None:
    for i, level in enumerate(row.levels):
        at = {"layer": level.layer, "split": "dev", "control": "embed" if level.layer is None else None}
        add(f"{level.label}/dev/{row.metric}", row.of(row.dev[i]), **at)
        add(f"{level.label}/gain", row.gain_at(i), **at)
        if row.equals is not None:
            add(f"{level.label}/not_worse", i in row.equals, **at)
        for name, values in row.controls_dev.items():
            add(f"{name}/{level.label}/dev/accuracy", values[i], **at | {"control": f"{name}_mean"})
    for level, score in row.twin.items():
        name = f"random_init/{level.label}/dev/{row.metric}"
        add(name, row.of(score), layer=level.layer, split="dev", control="random_init")
    for name, score in row.surface.items():
        add(f"{name}/dev/{row.metric}", row.of(score), split="dev", control=name)
    layer = row.peak.layer
    add("best_depth", depth(row.peak), layer=layer, split="dev")
    if row.equals is not None:
        add("not_worse/count", len(row.equals), "not_worse_count", layer=layer, split="dev")
    add("arrival", row.arrival, split="dev")


def _on_test(row: AtlasRow, add: Callable[..., None]) -> None:
    at = {"layer": row.peak.layer, "split": "test"}
    for name, score in row.on_test.items():
        flat, columns = ("test", at) if name == "probe" else (f"{name}/test", {"split": "test", "control": name})
        add(f"{flat}/{row.metric}", score, **columns)
        for metric, other in row.also.get(name, {}).items():
            add(f"{flat}/{metric}", row.of(other), **columns)
    for name in row.controls:
        add(f"{name}/test/{row.metric}", row.control(name), **at, control=f"{name}_mean")
    add("gain", row.nearest.difference, **at, control=row.nearest.rival)
    for lead in row.leads:
        metric, name = ("selectivity",) * 2 if lead.rival == CONTROL else ("lead", f"lead/{lead.rival}")
        add(name, lead.difference, metric, **at, control=lead.rival)


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
    others = {name: row.on_test.get(name, Estimate(np.nan)).value for name in ("majority", "embed", "random_init")}
    return {
        "task": row.name, "peak": row.peak.tick, "≈": spelled(row.levels, row.equals), "metric": in_words(row.metric),
        **score.cells("test", "low", "high"),
        "rival": called(nearest.rival, row), "its": nearest.value, **nearest.difference.cells("gain"),
        **{in_words(name): value for name, value in others.items()},
        **row.selectivity.cells("selectivity"), "shuffled": row.control("shuffled").value,
        "arrival": row.arrival.value, "n": score.n, "groups": score.groups, "n train": row.n_train, "unit": row.unit,
    }  # fmt: skip


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


def transfer_of(matrix: AtlasTransfer, model: str) -> tuple[Table, Picture]:
    """Test scores of every set's probe on every set, and by how much they exceed those of the commonest class."""
    frame = pd.DataFrame(np.vstack([matrix.values, matrix.majority]), columns=list(matrix.names))
    frame.insert(0, "trained on", [*matrix.names, "majority"])
    metrics = " or ".join(dict.fromkeys(map(in_words, matrix.metrics)))
    caption = (
        f"Test {metrics} on each set (columns) of the probe trained on each, at the level that its own dev chose. "
        "Sets may be alike in style as well as in what is asked."
    )
    table = Table(title=f"Transfer of {matrix.task}", frame=frame, caption=caption)
    figure = heat_map(
        matrix.values - np.array(matrix.majority), matrix.names, matrix.names, xlabel="tested on", ylabel="trained on",
        title=f"{table.title} in {model}", bar="test score minus majority", around_zero=True,
    )  # fmt: skip
    caption = "Test score of each set's probe on each set, minus what the commonest class scores there."
    return table, Picture(title=table.title, figure=figure, caption=caption)


def spelled(levels: Sequence[Level], indices: Sequence[int] | None) -> str:
    """Levels as a list of runs: `embed, 3–7, 9`; `?` where it could not be told which."""
    if indices is None:
        return "?"
    at = enumerate(sorted(indices))
    runs = [[i for _, i in run] for _, run in groupby(at, lambda x: (levels[x[1]].layer is None, x[1] - x[0]))]
    ends = [(levels[run[0]].tick, levels[run[-1]].tick) for run in runs]
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in ends)


def called(rival: str, row: AtlasRow) -> str:
    """A rival as a sentence names it."""
    return (TOKENS if row.unit == "token" else NAMES).get(rival, in_words(rival))


def in_words(name: str) -> str:
    """A metric's name as a sentence has it."""
    return name.replace("_", " ")


def pictures_of(rows: Sequence[AtlasRow], model: str) -> dict[str, Picture]:
    """What every level holds of every task, over its baseline, and from each task's lowest level to its highest."""
    draw = partial(heat_map, columns=[level.tick for level in rows[0].levels], xlabel=XLABEL)
    names = [f"{row.name}  ({row.floor.value:.2f})" for row in rows]
    figure = draw(
        np.stack([row.gains for row in rows]), names, title=f"What each level of {model} holds, beyond the words",
        ylabel="task (the baseline that is subtracted)", bar="dev score minus baseline", around_zero=True,
        marks=[(i, row.best) for i, row in enumerate(rows)],
    )  # fmt: skip
    caption = (
        "Dev accuracy (balanced accuracy where there are two classes) minus that of the strongest answer without the "
        "model, which stands in brackets. Zero is white: there the level says no more than the words do. Each task's "
        "peak is framed."
    )
    atlas = Picture(title="Atlas", figure=figure, caption=caption)
    scores = np.stack([row.gains + row.floor.value for row in rows])
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    stretched = np.divide(scores - low, high - low, out=np.full_like(scores, np.nan), where=high > low)
    names = [f"{row.name}  ({a:.2f}–{b:.2f})" for row, a, b in zip(rows, low[:, 0], high[:, 0], strict=True)]
    figure = draw(
        stretched, names, title=f"Where each task lies in {model}", ylabel="task (its lowest and highest dev score)",
        bar="from its worst level to its best", marks=[(i, j) for i, row in enumerate(rows) for j in row.equals or ()],
    )  # fmt: skip
    caption = (
        "Every task stretched from its lowest dev score to its highest, so that shapes can be compared. Framed: the "
        f"levels not shown to be worse than the best; none where fewer than {FEWEST} groups cannot tell. Where the "
        "scores in brackets are close, the colours show noise."
    )
    return {"atlas": atlas, "shape": Picture(title="Shape", figure=figure, caption=caption)}


def gains_in_words(found: AtlasFindings) -> str:
    """How many tasks are there beyond the words, and which could not be counted."""
    if not found.counted:
        return f"No task has {FEWEST} groups on test, so none can be said to be read better than without {found.model}."
    names = [row.name for row in found.shown]
    few = [row.name for row in found.rows if row.test["probe"].groups < FEWEST]
    left_out = f" Not counted, for fewer than {FEWEST} groups on test: {', '.join(few)}." if few else ""
    which = f" ({', '.join(names)})" if names else ""
    many = f"{len(names)} of {len(found.counted)} tasks"
    return f"{many} can be read from {found.model} better than without it{which}.{left_out}"


def order_in_words(found: AtlasFindings) -> str:
    """Whether the claim holds for this model."""
    stages = found.stages
    seen = "; ".join(f"{stage.name} {stage.arrival:.2f}" for stage in stages)
    depths = f" Mean depth of arrival on dev, 0 the embedding and 1 the last block: {seen}." if seen else ""
    if missing := [name for name in ORDER if name not in [stage.name for stage in stages]]:
        return f"{CLAIM} cannot be told here: no task of {', '.join(missing)} is shown to gain on dev.{depths}"
    if failed := [f"{b.name} does not clearly come after {a.name}" for a, b in found.not_after()]:
        return f"{CLAIM} does not hold for this model: {', and '.join(failed)}.{depths}"
    return f"{CLAIM} holds for this model, as an order.{depths}"


def row_in_words(row: AtlasRow) -> str:
    """Where one task peaks, which levels are not worse, and what that is worth."""
    few = f"too few groups on dev ({len(row.documents)}) to tell which levels are worse"
    equals = few if row.equals is None else f"not shown to be worse: {spelled(row.levels, row.equals)}"
    named = [replace(lead, rival=called(lead.rival, row)) for lead in row.leads]
    unbeaten = [lead for lead in named if not lead.clear]
    nor = f"; nor {', '.join(lead.rival for lead in unbeaten[1:])}" if unbeaten[1:] else ""
    score = f"Test {in_words(row.metric)} {row.on_test['probe']:.3f}"
    return f"{row.name} peaks at {row.peak.place}; {equals}. {score}: it {verdict(unbeaten[:1] or named)}{nor}."


def notes(found: AtlasFindings) -> Iterator[str]:
    """What a reader must know before believing the map."""
    rows = found.rows
    yield from map(row_in_words, rows)
    yield from (note for matrix in found.transfers for note in matrix.notes)
    yield from found.notes
    yield from (f"{row.source}: {note}" for row in rows for note in row.notes)
    if any(row.twin for row in rows) and found.twin_step > 1:
        yield f"Of the random-init twin the embedding and one in {found.twin_step} blocks were measured."
    yield "No control task where whole texts or pairs are labelled: it needs words that recur."
    if any(row.stage == "output" for row in rows):
        yield "The next token is read by the model's own head: nothing is trained, so it has no twin or control."
    if any(row.unit == "pair" for row in rows):
        yield "A mention's state knows nothing of what follows it: what decides a pair must stand before its end."
    yield (
        "Not measured here: online code length, of the tasks and of their controls, and scores without duplicates; "
        "probe=pos and its like have them."
    )


def methods(found: AtlasFindings) -> Iterator[Method]:
    """How it was found and tested, step by step."""
    yield Method(
        f"Every task is read from every level by linear probes ({in_words(found.method)}). Penalty and level are "
        "chosen on dev by accuracy, for two classes by balanced accuracy, which is one half for every constant answer; "
        "test is read once, at the chosen level."
    )
    if any(CONTROL in row.controls for row in found.rows):
        said = "Control tasks give every word form a class at random, in the proportions of the task."
        yield Method(said, ("hewitt2019",))
    yield Method(
        "A task counts as read better than without the model if its probe is ahead, by a paired interval on test, of "
        "every rival that lacks the information: the commonest class, look-ups or surface features, a probe of the "
        "embedding, and where they were measured the random-init twin, the control task and labels exchanged in all "
        f"splits. All must be beaten, so their number needs no correction; the claims for {len(found.counted)} tasks, "
        f"those over {FEWEST} and more groups, are corrected among each other by Holm's method.",
        ("berger1982", "holm1979"),
    )
    if any(row.equals is not None for row in found.rows):
        said = f"Levels not shown to be worse are a 95 % model confidence set on dev, over {FEWEST} and more groups."
        yield Method(said, ("hansen2011", "romano2005"))
    yield Method(
        "A task arrives at the mean depth at which its gain over the strongest answer without the model rises, on dev. "
        "It has arrived if at some level it leads every answer without the model and the random-init twin on dev, "
        "corrected for the number of levels (Bonferroni); test decides nothing. A stage of language comes after "
        "another if the difference of their mean depths has its 95 % interval above 0.",
        ("tenney2019",),
    )

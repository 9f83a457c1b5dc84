"""What an atlas says in sentences: the headline, a line for each task, the notes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.data.examples import distinct
from latentmech.model import Level, Model
from latentmech.probe.atlas.order import order_in_words
from latentmech.probe.atlas.row import AtlasRow
from latentmech.probe.atlas.sources import Sources

if TYPE_CHECKING:
    from latentmech.probe.atlas.study import AtlasStudy

FEW = 10  # groups below which a percentile interval cannot be trusted


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


def notes_on(study: "AtlasStudy", rows: Sequence[AtlasRow], model: Model, sources: Sources) -> list[str]:
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
        notes.append(f"Of the random-init twin the embedding and one in {study.twin_step} blocks were measured.")
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

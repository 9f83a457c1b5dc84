"""`UnitTable`: what a probe reads and should predict, a row per labelled word or text, as parallel arrays."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from latentmech.data.examples import Examples
from latentmech.data.labels import Task
from latentmech.errors import BadInput

WHOLE_TEXT = -1


@dataclass(frozen=True)
class UnitTable:
    """Labelled units in the order of the examples, then of their words. All arrays have the same length.

    Attributes:
        example: index into the examples.
        word: index into the text's words; -1 if the unit is the whole text.
        label: the label.
        form: the surface, as written: the word, or the whole text.
        group: a number per group, the same for units of the same document.
        split: train, dev or test.
        notes: what was left out, for the report.
    """

    example: np.ndarray
    word: np.ndarray
    label: np.ndarray
    form: np.ndarray
    group: np.ndarray
    split: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.example)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted(set(self.label.tolist())))

    def select(self, rows: np.ndarray) -> "UnitTable":
        """The rows that a mask or an index array picks."""
        arrays = ("example", "word", "label", "form", "group", "split")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    def in_split(self, split: str) -> "UnitTable":
        """The rows of one split."""
        return self.select(self.split == split)


def flat(examples: Examples, task: Task, unseen_classes: str = "error") -> UnitTable:
    """The task's labelled units. A class that train lacks is an error, or its units are dropped and noted."""
    if unseen_classes not in ("error", "drop"):
        raise BadInput(f"unseen_classes={unseen_classes!r}; expected 'error' or 'drop'")
    table = _table(examples, task)
    train = table.in_split("train").classes if "train" in examples.splits else table.classes
    unseen = Counter(label for label in table.label.tolist() if label not in train)
    if unseen:
        table = _without(table, unseen, examples, task, drop=unseen_classes == "drop")
    if len(train) < 2:
        seen = f"the task {task.name!r} finds {len(train)} classes {list(train)} in {examples.source} (train)"
        raise BadInput(f"{seen}; expected two or more: raise `limit`, or choose a column whose values differ")
    return table


def _table(examples: Examples, task: Task) -> UnitTable:
    per_word = task.per_word(examples)
    sizes = np.array(examples.sizes() if per_word else [1] * len(examples), dtype=np.int64)
    labels = np.array(task.labels(examples), dtype=object)
    example = np.repeat(np.arange(len(examples)), sizes)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    forms = chain.from_iterable(map(examples.words, range(len(examples)))) if per_word else examples.texts
    group = np.unique(np.array(examples.groups, dtype=object), return_inverse=True)[1]
    table = UnitTable(
        example=example,
        word=np.arange(len(example)) - starts if per_word else np.full(len(example), WHOLE_TEXT),
        label=labels,
        form=np.array(list(forms), dtype=object),
        group=group[example],
        split=np.array(examples.splits)[example],
    )
    labelled = table.select(np.array([label is not None for label in labels], dtype=bool))
    return replace(labelled, label=labelled.label.astype(str))


def _without(table: UnitTable, unseen: Counter, examples: Examples, task: Task, *, drop: bool) -> UnitTable:
    """The table without the classes that a probe fitted on train could never predict, or BadInput."""
    counts = ", ".join(f"{label} ({count})" for label, count in sorted(unseen.items()))
    if not drop:
        seen = f"{task.name!r} in {examples.source}: train lacks classes that dev or test has: {counts}"
        raise BadInput(f"{seen}; expected every class in train: raise `limit`, or set unseen_classes=drop")
    kept = table.select(np.array([label not in unseen for label in table.label.tolist()], dtype=bool))
    note = f"left out of dev and test, for train has no such class of {task.name}: {counts}"
    return replace(kept, notes=(*kept.notes, note))

"""`Task`: which words or texts carry which label; `UnitTable`: those that do, a row each.

A task is data: a column, and what to keep of it.

pos          part of speech of every word (UPOS, 17 classes; de Marneffe et al. 2021)
proper_noun  is the word a proper noun?
number       singular or plural, of nouns and proper nouns
tense        past or present, of finite verbs and auxiliaries
entity       what kind of name a word is inside of; words outside names are left out
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

import numpy as np

from latentmech.data.examples import Examples, distinct
from latentmech.data.table import Label, meant
from latentmech.errors import BadInput, expected, listed

OTHER = "other"
WHOLE_TEXT = -1
MOST_NUMBERS = 20  # different labels that are fractions; more are measurements and no classes
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
BRACKETS = re.compile(r"\(\S+|\S+\)")  # of CorefUD and GUM, where a name begins or ends: (e1-person-new-cf1-1 ... e1)


def name_type(tag: str) -> str | None:
    """The type in a BIO tag (`B-PER` is PER), or a bare type; None outside a name."""
    prefix, dash, kind = tag.partition("-")
    if tag in ("O", "_"):
        return None
    return kind if dash and prefix in ("B", "I", "E", "S", "L", "U") else tag


@dataclass(frozen=True)
class Task:
    """Labels for the words, or for the texts, of a corpus, depending on what `column` describes.

    Attributes:
        name: what reports call it.
        column: the label column.
        keep: for other columns (or this one), the values that a word must have to be in the task.
        mapping: new labels for old ones, as a table or a function; a label that it does not know is left out.
        positive: makes the task binary: this label against `other`, or against `not other` where it is called so.
        stage: the part of language that it belongs to: `syntax`, `semantics`, `output`; `own` for a task of the user's.
        capital: whether a capital letter inside a text speaks for the positive label.
    """

    name: str
    column: str
    keep: Mapping[str, Collection[str]] = field(default_factory=dict)
    mapping: Mapping[str, str] | Callable[[str], str | None] | None = None
    positive: Label = None
    stage: str = "own"
    capital: bool = False

    def per_word(self, examples: Examples) -> bool:
        """Whether the task labels words; otherwise it labels whole texts."""
        _check_column(examples, self.column)
        return self.column in examples.word_columns

    def labels(self, examples: Examples) -> list[str | None]:
        """One label for each word of each text in order, or one per text; None where the task has none."""
        per_word = self.per_word(examples)
        values = _values(examples, self.column, per_word)
        labels = list(map(self._relabelled, values)) if self.mapping is not None else values
        for column, allowed in self.keep.items():
            fitting = set(allowed)
            kept = _values(examples, column, per_word)
            labels = [label if value in fitting else None for label, value in zip(labels, kept, strict=True)]
        where, known = f"the column {self.column!r} of {examples.source}", distinct(filter(None, labels))
        if self.column == "Entity":
            _check_types(known, where)
        if self.positive is None:
            _check_classes(known, where)
            return labels
        wanted = meant(self.positive, known, where)
        return [label if label is None or label == wanted else self.rest for label in labels]

    @property
    def rest(self) -> str:
        """What all but the positive label are called."""
        return f"not {OTHER}" if self.positive == OTHER else OTHER

    def _relabelled(self, value: str | None) -> str | None:
        if value is None or self.mapping is None:
            return value
        return self.mapping(value) if callable(self.mapping) else self.mapping.get(value)


def _check_types(known: Sequence[str], where: str) -> None:
    """BadInput for brackets around names, each of which would be a class of its own."""
    if brackets := [label for label in known if BRACKETS.fullmatch(label)]:
        seen = f"{where} has names in brackets, as CorefUD writes them: {listed(brackets, 2)}"
        raise BadInput(f"{seen}; expected a type or a BIO tag such as B-person at every word: convert the file")


def _check_classes(known: Sequence[str], where: str) -> None:
    """BadInput for measurements, each of which would be a class of its own."""
    numbers = [float(label) for label in known if NUMBER.fullmatch(label)]
    if len(numbers) == len(known) > MOST_NUMBERS and not all(map(float.is_integer, numbers)):
        seen = f"{where} holds {len(known)} different numbers; expected classes, which a probe tells apart"
        raise BadInput(f"{seen}: bin them into a few, such as low and high")


def _values(examples: Examples, column: str, per_word: bool) -> list[str | None]:
    """The column, flat. In a task over words, a text's value holds for each of its words."""
    _check_column(examples, column)
    values = examples.columns[column]
    if column in examples.word_columns:
        if not per_word:
            seen = f"the column {column!r} of {examples.source} has one value per word"
            raise BadInput(f"{seen}; expected one per text, as the labels have: keep by another column")
        return list(chain.from_iterable(values))
    if not per_word:
        return list(values)
    return list(chain.from_iterable(map(repeat, values, examples.sizes())))


def _check_column(examples: Examples, column: str) -> None:
    if column not in examples.columns:
        advice = expected(column, examples.columns)
        raise BadInput(f"no column {column!r} in {examples.source}; {advice}: name one of these or add it")


TASKS = {
    task.name: task
    for task in (
        Task("pos", "upos", stage="syntax"),
        Task("proper_noun", "upos", positive="PROPN", stage="syntax", capital=True),
        Task("number", "Number", keep={"upos": ("NOUN", "PROPN"), "Number": ("Sing", "Plur")}, stage="syntax"),
        Task(
            "tense",
            "Tense",
            keep={"upos": ("VERB", "AUX"), "VerbForm": ("Fin",), "Tense": ("Past", "Pres")},
            stage="syntax",
        ),
        Task("entity", "Entity", mapping=name_type, stage="semantics"),
    )
}


def task(name: str, column: str | None = None) -> Task:
    """The task of that name; with a column, the task of telling that column's values apart."""
    if column is not None:
        return Task(name, column)
    if name not in TASKS:
        raise BadInput(f"no task {name!r}; {expected(name, TASKS)}; or name a `column` of your own data")
    return TASKS[name]


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
        positive: the label that is told from all others; None where each is a class of its own.
    """

    example: np.ndarray
    word: np.ndarray
    label: np.ndarray
    form: np.ndarray
    group: np.ndarray
    split: np.ndarray
    notes: tuple[str, ...] = ()
    positive: str | None = None

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
        seen = f"the task {task.name!r} finds {len(train)} classes [{listed(train)}] in {examples.source} (train)"
        raise BadInput(f"{seen}; expected two or more: raise `limit`, or choose a column whose values differ")
    return table


def to_score(examples: Examples, task: Task, unseen_classes: str = "error") -> UnitTable:
    """The same of data on whose dev and test answers are to be scored; what is not there of a class is noted.

    Raises:
        BadInput: besides, a split has one class or none. Every answer would fit, and no score but accuracy is defined.
    """
    table, notes = flat(examples, task, unseen_classes), []
    for split in ("train", "dev", "test"):
        there = table.in_split(split).classes
        lacking = [name for name in table.classes if name not in there]
        if len(there) < 2:
            seen = f"{examples.source}: {split} has no {listed(lacking)}{f', only {there[0]}' if there else ''}"
            remedy = "add texts, raise `limit`, or try another `split_seed`"
            raise BadInput(f"{seen} ({task.name}); expected two classes or more in every split: {remedy}")
        if lacking:
            notes.append(f"{split} has no {listed(lacking)} ({task.name}): scores there are of the other classes")
    return replace(table, notes=(*table.notes, *notes))


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
    positive = None if task.positive is None else next(name for name in labelled.classes if name != task.rest)
    return replace(labelled, label=labelled.label.astype(str), positive=positive)


def _without(table: UnitTable, unseen: Counter, examples: Examples, task: Task, *, drop: bool) -> UnitTable:
    """The table without the classes that a probe fitted on train could never predict, or BadInput."""
    counts = listed(f"{label} ({count})" for label, count in sorted(unseen.items()))
    if not drop:
        seen = f"{task.name!r} in {examples.source}: train lacks classes that dev or test has: {counts}"
        raise BadInput(f"{seen}; expected every class in train: raise `limit`, or set unseen_classes=drop")
    kept = table.select(np.array([label not in unseen for label in table.label.tolist()], dtype=bool))
    note = f"left out of dev and test, for train has no such class of {task.name}: {counts}"
    return replace(kept, notes=(*kept.notes, note))

"""`Task`: which words or texts carry which label. A task is data: a column, and what to keep of it.

pos          part of speech of every word (UPOS, 17 classes; de Marneffe et al. 2021)
proper_noun  is the word a proper noun?
number       singular or plural, of nouns and proper nouns
tense        past or present, of finite verbs and auxiliaries
entity       what kind of name a word is inside of; words outside names are left out
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain, repeat

from latentmech.data.examples import Examples
from latentmech.errors import BadInput, expected

OTHER = "other"


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
        positive: makes the task binary: this label against `other`.
        stage: the part of language that it belongs to: `syntax`, `semantics`, `output`; `own` for a task of the user's.
        capital: whether a capital letter inside a text speaks for the positive label.
    """

    name: str
    column: str
    keep: Mapping[str, Collection[str]] = field(default_factory=dict)
    mapping: Mapping[str, str] | Callable[[str], str | None] | None = None
    positive: str | None = None
    stage: str = "own"
    capital: bool = False

    def per_word(self, examples: Examples) -> bool:
        """Whether the task labels words; otherwise it labels whole texts."""
        _check_column(examples, self.column)
        return self.column in examples.word_columns

    def labels(self, examples: Examples) -> list[str | None]:
        """One label for each word of each text in order, or one per text; None where the task has none."""
        per_word = self.per_word(examples)
        labels = [self._relabelled(value) for value in _values(examples, self.column, per_word)]
        for column, allowed in self.keep.items():
            fitting = set(allowed)
            values = _values(examples, column, per_word)
            labels = [label if value in fitting else None for label, value in zip(labels, values, strict=True)]
        return labels

    def _relabelled(self, value: str | None) -> str | None:
        if value is not None and self.mapping is not None:
            value = self.mapping(value) if callable(self.mapping) else self.mapping.get(value)
        if value is None or self.positive is None:
            return value
        return value if value == self.positive else OTHER


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

"""`Examples`: texts, their words and labels, where they belong; several as one. Knows no tokenizer and no tensor.

Where the words of a text stand in it is said by character spans `[start, end)`. A probe reads a word's vector at the
sub-word tokens that cover its span, so a span that is off by one silently labels the wrong vector. Hence words are
located strictly: only white space may stand between them.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from latentmech.errors import BadInput, shown

Span = tuple[int, int]
PER_TEXT = ("ids", "texts", "groups", "splits")
MENTION = r"\[([^\[\]]+)\]"  # how a text marks a mention: [Anna] said that [she] was late.


@dataclass(frozen=True, kw_only=True)
class Examples:
    """A corpus: one entry per text (a sentence, a prompt), and per word where words are annotated.

    Attributes:
        ids: one per text, unique.
        texts: the raw text.
        groups: what a text must not be separated from when splitting: its document, template, entity.
        splits: `train`, `dev` or `test`; empty strings until a split is made.
        spans: per text, each word's character span `[start, end)` in the text; None if there are no words.
        columns: label columns by name. A column holds one value per text, or, if `spans` is set and the
            name is in `word_columns`, a tuple with one value per word. None means "no label here".
        word_columns: the names in `columns` that are per word.
        own_splits: the splits came with the data and were not made by us.
        source: where the data came from, as the user wrote it.
        notes: what reading decided and a reader of the results must know; a study's report repeats them.
        too_long: what becomes of texts that a model cannot read whole: `refuse`, `cut` or `leave_out`.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    splits: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...] | None = None
    columns: Mapping[str, tuple] = field(default_factory=dict)
    word_columns: frozenset[str] = frozenset()
    own_splits: bool = False
    source: str = ""
    notes: tuple[str, ...] = ()
    too_long: str = "refuse"

    def __len__(self) -> int:
        return len(self.ids)

    def words(self, index: int) -> tuple[str, ...]:
        """Surface forms of the words of text `index`."""
        if self.spans is None:
            return ()
        text = self.texts[index]
        return tuple(text[start:end] for start, end in self.spans[index])

    def sizes(self) -> tuple[int, ...]:
        """How much each text weighs in a split or a sample: its words, or one if words are not annotated."""
        return (1,) * len(self) if self.spans is None else tuple(len(spans) for spans in self.spans)

    def select(self, indices: Sequence[int]) -> "Examples":
        """The texts at `indices`, in that order, with everything that belongs to them."""

        def pick(values: Sequence) -> tuple:
            return tuple(values[i] for i in indices)

        texts: dict[str, Any] = {name: pick(getattr(self, name)) for name in PER_TEXT}
        return replace(
            self,
            **texts,
            spans=None if self.spans is None else pick(self.spans),
            columns={name: pick(values) for name, values in self.columns.items()},
        )

    def where(self, keep: Callable[[int], bool]) -> "Examples":
        """The texts whose index satisfies `keep`."""
        return self.select([i for i in range(len(self)) if keep(i)])

    def in_split(self, split: str) -> "Examples":
        """The texts of one split."""
        return self.where(lambda i: self.splits[i] == split)


def distinct(values: Iterable[str]) -> list[str]:
    """Values in order of first appearance, once each."""
    return list(dict.fromkeys(values))


def unique_ids(named: Iterable[tuple[str, str | None]], stem: str, what: str = "id") -> tuple[str, ...]:
    """The names of texts; one without a name is called after the file and its place in it.

    Args:
        named: where each text stands, and its name if it has one.
        stem: of the file's name.
        what: a name is called in the file.

    Raises:
        BadInput: two texts of one name.
    """
    first_seen: dict[str, str] = {}
    for ordinal, (where, given) in enumerate(named, start=1):
        name = given or f"{stem}-{ordinal}"
        if name in first_seen:
            seen = f"the {what} {shown(name)} again, first at {first_seen[name]}"
            raise BadInput(f"{where}: {seen}; expected unique ids: rename or delete one")
        first_seen[name] = where
    return tuple(first_seen)


def merge(parts: Sequence[Examples]) -> Examples:
    """The texts of all parts in order; a column that a part lacks is blank there."""
    _check_alike(parts)
    parts = _with_unique_ids(parts)
    names = distinct(name for part in parts for name in part.columns)
    word_columns = frozenset[str]().union(*(part.word_columns for part in parts))
    spans = [part.spans for part in parts if part.spans is not None]
    texts: dict[str, Any] = {name: sum((getattr(part, name) for part in parts), ()) for name in PER_TEXT}
    return replace(
        parts[0],
        **texts,
        spans=sum(spans, ()) if spans else None,
        columns={name: sum((_column(part, name, word_columns) for part in parts), ()) for name in names},
        word_columns=word_columns,
        notes=tuple(distinct(note for part in parts for note in part.notes)),
    )


def _check_alike(parts: Sequence[Examples]) -> None:
    """Words in all parts or in none, and each column on one level throughout."""
    first = parts[0]
    for part in parts[1:]:
        if (part.spans is None) != (first.spans is None):
            seen = f"words are annotated in only one of {first.source} and {part.source}"
            raise BadInput(f"{seen}; expected both alike: give 'words' in every file or in none")
        for name in first.columns.keys() & part.columns.keys():
            if (name in first.word_columns) != (name in part.word_columns):
                seen = f"the column {name!r} is per word in only one of {first.source} and {part.source}"
                raise BadInput(f"{seen}; expected both alike: rename one of the columns")


def _column(part: Examples, name: str, word_columns: frozenset[str]) -> tuple:
    if name in part.columns:
        return part.columns[name]
    if name in word_columns and part.spans is not None:
        return tuple((None,) * len(spans) for spans in part.spans)
    return (None,) * len(part)


def _with_unique_ids(parts: Sequence[Examples]) -> list[Examples]:
    """Clashing ids get their split in front, `dev/s1`; so does the group of a text that is its own group."""
    times = Counter(name for part in parts for name in part.ids)
    parts = [_prefixed(part, {name for name in part.ids if times[name] > 1}) for part in parts]
    times = Counter(name for part in parts for name in part.ids)
    for name, count in times.items():
        if count > 1:
            raise BadInput(f"the id {name!r} {count} times in {parts[0].source}; expected unique ids: rename one")
    return list(parts)


def _prefixed(part: Examples, clashing: set[str]) -> Examples:
    def rename(name: str, split: str) -> str:
        return f"{split}/{name}" if name in clashing else name

    own = [group == name for group, name in zip(part.groups, part.ids, strict=True)]
    ids = tuple(map(rename, part.ids, part.splits))
    groups = tuple(i if is_own else g for i, g, is_own in zip(ids, part.groups, own, strict=True))
    return replace(part, ids=ids, groups=groups)


def locate(forms: Sequence[str], text: str) -> list[Span] | None:
    """Spans of `forms` in `text`, or None unless they and white space between them are the whole text."""
    spans, at = [], 0
    for form in forms:
        while at < len(text) and text[at].isspace():
            at += 1
        if not text.startswith(form, at):
            return None
        spans.append((at, at + len(form)))
        at += len(form)
    return None if text[at:].strip() else spans


def join(forms: Sequence[str], space_after: Sequence[bool]) -> tuple[str, list[Span]]:
    """The text that the forms make, each followed by a space or not, and their spans in it."""
    pieces = [form + " " * space for form, space in zip(forms, space_after, strict=True)]
    starts = accumulate((len(piece) for piece in pieces[:-1]), initial=0)
    return "".join(pieces).rstrip(), [(at, at + len(form)) for at, form in zip(starts, forms, strict=True)]


def divide(span: Span, surface: str, forms: Sequence[str]) -> list[Span]:
    """Spans of the words inside one surface token: `do` + `n't` divide `don't`.

    Words that do not spell their token (`de` + `le` for *du*) have no place of their own: each takes it all.
    """
    if "".join(forms) != surface:
        return [span] * len(forms)
    ends = [span[0] + end for end in accumulate(map(len, forms))]
    return list(zip([span[0], *ends[:-1]], ends, strict=True))


def marked(text: str, spans: Sequence[Span]) -> str:
    """The text with brackets around the spans, which are in order and do not overlap."""
    for start, end in reversed(spans):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


def unmarked(text: str) -> tuple[str, tuple[Span, ...]]:
    """The text without the brackets around its mentions, and where in it those are."""
    found = enumerate(re.finditer(MENTION, text))
    spans = tuple((match.start() - 2 * i, match.end() - 2 * i - 2) for i, match in found)
    return re.sub(MENTION, r"\1", text), spans

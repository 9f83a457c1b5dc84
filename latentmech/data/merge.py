"""Several files as one corpus."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from latentmech.data.examples import Examples, distinct
from latentmech.errors import BadInput


def merge(parts: Sequence[Examples]) -> Examples:
    """The texts of all parts in order; a column that a part lacks is blank there."""
    _check_alike(parts)
    parts = _with_unique_ids(parts)
    names = distinct(name for part in parts for name in part.columns)
    word_columns = frozenset[str]().union(*(part.word_columns for part in parts))
    spans = [part.spans for part in parts if part.spans is not None]
    return replace(
        parts[0],
        ids=sum((part.ids for part in parts), ()),
        texts=sum((part.texts for part in parts), ()),
        groups=sum((part.groups for part in parts), ()),
        splits=sum((part.splits for part in parts), ()),
        spans=sum(spans, ()) if spans else None,
        columns={name: sum((_column(part, name, word_columns) for part in parts), ()) for name in names},
        word_columns=word_columns,
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

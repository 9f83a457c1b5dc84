"""Rows of named values, from JSONL, CSV or whatever format, to `Examples`: one text per row, any other column a label.

A row has `text`, or in JSONL `words`: a list of strings, beside which a label column may be a list as long.
Another column can be named as the text.
Instead of `text` a row may have `marked`, a text with two mentions in brackets: `[Anna] said that [she] was late.`
`id`, `group` (or `document`) and `split` say what they say in `Examples`.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from latentmech.data.examples import Examples, Span, distinct, join, locate, unique_ids, unmarked
from latentmech.data.files import read_text
from latentmech.errors import BadInput, expected, shown

NO_LABELS = ("text", "words", "marked", "id", "split")
GROUPS = ("group", "document")
SPLITS = {"train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "test": "test"}
DELIMITERS = (",", ";", "\t")  # of a CSV file: the one that parts its header into the most names


Label = str | int | float | bool | None  # as a setting names one: `true`, 1 and None are those of JSON


@dataclass(frozen=True)
class Row:
    """One text with its labels; `where` is the `path:line` that an error about it names."""

    where: str
    values: dict[str, object]


def tabulated(path: Path, rows: Sequence[Row]) -> Examples:
    """The rows as `Examples`: with words if the rows have `words`, with two mentions if `marked`, else plain texts."""
    place = next((read for name, read in PLACES.items() if any(name in row.values for row in rows)), _plain)
    placed = [place(row) for row in rows]
    names = distinct(name for row in rows for name in row.values if name not in NO_LABELS)
    per_word = frozenset(n for n in names if any(isinstance(row.values.get(n), list) for row in rows))
    _check_one_label(rows, per_word)
    ids = unique_ids([(row.where, label(row.values.get("id"), row.where)) for row in rows], path.stem)
    splits = _splits(rows)
    return Examples(
        ids=ids,
        texts=tuple(text for text, _ in placed),
        groups=tuple(
            next(filter(None, (label(row.values.get(name), row.where) for name in GROUPS)), own)
            for row, own in zip(rows, ids, strict=True)
        ),
        splits=splits,
        spans=None if place is _plain else tuple(spans for _, spans in placed),
        columns={name: _column(name, rows, name in per_word) for name in names},
        word_columns=per_word,
        own_splits=any(splits),
        source=str(path),
        notes=tuple(_quoted(path, rows)),
    )


def text_from(rows: Sequence[Row], column: str | None) -> list[Row]:
    """The rows with another column as their text; what was called `text` before is left out.

    Raises:
        BadInput: a row does not have it.
    """
    if column is None:
        return list(rows)
    for row in rows:
        if column not in row.values:
            advice = expected(column, row.values, "the row has")
            raise BadInput(f"{row.where}: no {column!r} in the row, which data.text names; {advice}")
    rest = [{k: v for k, v in row.values.items() if k not in ("text", column)} for row in rows]
    return [Row(row.where, {"text": row.values[column]} | own) for row, own in zip(rows, rest, strict=True)]


def meant(wanted: Label, labels: Iterable[str], where: str) -> str:
    """The label that a setting names; a truth value may be spelled `True` in the file, and 1 may stand there as 1.0.

    Args:
        labels: those that occur.
        where: what has them, such as `the column 'label' of rows.csv`.

    Raises:
        BadInput: none of them is meant; the message names those that are there.
    """
    known, name = distinct(labels), label(wanted, where) or ""
    same = [name] if name in known else [other for other in known if _kind(other) == _kind(name)]
    if len(same) != 1:
        raise BadInput(f"{where} has no label {name!r}; {expected(name, known, 'it has')}")
    return same[0]


def _kind(name: str) -> object:
    """What a label says, whoever spelled it: a truth value in small letters, a number as one, else the text."""
    if name.lower() in ("true", "false"):
        return name.lower()
    try:
        return float(name)
    except ValueError:
        return name


def _check_one_label(rows: Sequence[Row], per_word: Collection[str]) -> None:
    """Lists are labels of words; a text has one label."""
    for row in rows:
        for name in per_word:
            if "words" not in row.values and isinstance(row.values.get(name), list):
                seen = f"{row.where}: {shown(row.values[name])} as {name!r} of one text"
                raise BadInput(f"{seen}; expected one label: give each of them a column of its own, of 0 and 1")


def _quoted(path: Path, rows: Sequence[Row]) -> Iterator[str]:
    """A TSV file knows no quoting; whoever wrote it may have thought otherwise."""
    cells = (cell for row in rows for cell in row.values.values() if isinstance(cell, str) and len(cell) > 1)
    n = sum(cell[0] == cell[-1] == '"' for cell in cells) if path.suffix.lower() == ".tsv" else 0
    if n:
        yield f"{n} fields of {path} stand in quotation marks, which belong to them: TSV has no quoting"


def label(value: object, where: str) -> str | None:
    """A cell as a label: text as it stands, numbers and truth values spelled as in JSON, blanks as None."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value != value:  # NaN is the blank of numeric exports
        return None
    if not isinstance(value, str | int | float):
        raise BadInput(f"{where}: {shown(value)} as a label; expected text, a number or null: repair the row")
    return str(value).strip() or None


def _text(row: Row) -> str:
    if "text" not in row.values:
        advice = expected("text", row.values, "the row has")
        raise BadInput(f"{row.where}: no 'text' (nor 'words') in the row: name its column by data.text; {advice}")
    text = row.values["text"]
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{row.where}: the text is {shown(text)}; expected some words: fill in or delete the row")
    return text


def _words(row: Row) -> tuple[str, tuple[Span, ...]]:
    """The row's text and its words' places; without a text, the words with a space between them."""
    words = row.values.get("words")
    if not isinstance(words, list) or not words or not all(isinstance(w, str) and w.strip() for w in words):
        raise BadInput(f"{row.where}: the words are {shown(words)}; expected a list of words: repair the row")
    if "text" not in row.values:
        text, spans = join(words, [True] * len(words))
        return text, tuple(spans)
    located = locate(words, _text(row))
    if located is None:
        seen = f"the text {shown(row.values['text'])} does not spell the words {shown(words)}"
        raise BadInput(f"{row.where}: {seen}; expected the words in order: delete 'text' or repair it")
    return _text(row), tuple(located)


def _mentions(row: Row) -> tuple[str, tuple[Span, ...]]:
    """The text of a row like `[Anna] said that [she] was late.`, and its two mentions as the words of it."""
    given = row.values.get("marked")
    text, spans = unmarked(given) if isinstance(given, str) else ("", ())
    if len(spans) != 2:
        seen = f"{len(spans)} mentions in brackets in {shown(given)}"
        raise BadInput(f"{row.where}: {seen}; expected two, as in [Anna] said that [she] was late: repair the row")
    return text, spans


def _plain(row: Row) -> tuple[str, tuple[Span, ...]]:
    return _text(row), ()


PLACES = {"words": _words, "marked": _mentions}


def _column(name: str, rows: Sequence[Row], per_word: bool) -> tuple:
    if per_word:
        return tuple(_word_labels(name, row) for row in rows)
    return tuple(label(row.values.get(name), row.where) for row in rows)


def _word_labels(name: str, row: Row) -> tuple[str | None, ...]:
    """A label for each of the row's words; a row without the column has none."""
    words, labels = row.values.get("words") or [], row.values.get(name)
    assert isinstance(words, list)
    if labels is None and words:
        return (None,) * len(words)
    if not isinstance(labels, list) or len(labels) != len(words):
        count = len(labels) if isinstance(labels, list) else "no list of"
        seen = f"{count} labels in {name!r} for {len(words)} words"
        raise BadInput(f"{row.where}: {seen}; expected one label per word in a row with 'words': repair the row")
    return tuple(label(value, row.where) for value in labels)


def _splits(rows: Sequence[Row]) -> tuple[str, ...]:
    """Each row's split: all rows name one, or none does."""
    named = [(row.where, label(row.values.get("split"), row.where)) for row in rows]
    if not any(name for _, name in named):
        return ("",) * len(rows)
    for where, name in named:
        if (name or "").lower() not in SPLITS:
            seen = f"the split {shown(name)}"
            raise BadInput(f"{where}: {seen}; expected train, dev or test in every row: repair it or drop 'split'")
    return tuple(SPLITS[str(name).lower()] for _, name in named)


def by_suffix(path: Path, readers: Mapping[str, Callable[[Path], Any]]) -> Callable[[Path], Any]:
    """The reader for a file.

    Raises:
        BadInput: there is none for files that end so.
    """
    if path.suffix.lower() not in readers:
        seen = f"{path}: the suffix {path.suffix!r}"
        raise BadInput(f"{seen}; expected one of {', '.join(readers)}: convert the file or rename it")
    return readers[path.suffix.lower()]


def split_in(stem: str) -> str | None:
    """The split that a part of the file's name says, if exactly one does: `en_ewt-ud-dev` is dev."""
    said = {SPLITS[part] for part in re.split(r"[\W_\d]+", stem.lower()) if part in SPLITS}
    return said.pop() if len(said) == 1 else None


def read_jsonl(path: str | Path, text: str | None = None) -> Examples:
    """One JSON object per line; blank lines are passed over.

    Args:
        text: the column that is the text, if it has another name.
    """
    return tabulated(Path(path), text_from(jsonl_rows(Path(path)), text))


def read_csv(path: str | Path, text: str | None = None) -> Examples:
    """A header line, then one row per text; separated by commas or semicolons, or by tabs if the file is a `.tsv`.

    Args:
        text: the column that is the text, if it has another name.
    """
    return tabulated(Path(path), text_from(csv_rows(Path(path)), text))


def jsonl_rows(path: Path) -> list[Row]:
    """The objects of a JSONL file."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [json_row(f"{path}:{number}", line) for number, line in lines if line.strip()]


def json_rows(path: Path) -> list[Row]:
    """The objects of a JSON file that holds a list of them."""
    try:
        values = json.loads(read_text(path), object_pairs_hook=_unique_keys(str(path)))
    except json.JSONDecodeError as error:
        seen = f"broken JSON at column {error.colno} ({error.msg})"
        raise BadInput(f"{path}:{error.lineno}: {seen}; expected a list of objects: repair the file") from None
    if not isinstance(values, list) or not values or not all(isinstance(value, dict) for value in values):
        raise BadInput(f"{path}: {shown(values)}; expected a list of objects, [{{…}}, …]: repair the file")
    return [Row(f"{path}, object {number}", value) for number, value in enumerate(values, start=1)]


def csv_rows(path: Path) -> list[Row]:
    """The rows of a CSV or TSV file by header name."""
    rows = list(_csv_rows(path))
    if not rows:
        raise BadInput(f"{path}: a header and no row under it; expected one row per text: check the export")
    return rows


def _unique_keys(where: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """JSON lets a key stand twice, and readers keep the last one without a word."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            raise BadInput(f"{where}: the key {shown(twice)} twice in one object; expected it once: rename or drop one")
        return found

    return unique


def json_row(where: str, line: str) -> Row:
    """The object of one line."""
    try:
        values = json.loads(line, object_pairs_hook=_unique_keys(where))
    except json.JSONDecodeError as error:
        seen = f"broken JSON at column {error.colno} ({error.msg}) in {shown(line)}"
        raise BadInput(f"{where}: {seen}; expected one JSON object per line: repair the line") from None
    if not isinstance(values, dict):
        raise BadInput(f'{where}: {shown(values)} is no JSON object; expected {{"text": …}}: repair the line')
    return Row(where, values)


def _csv_rows(path: Path) -> Iterator[Row]:
    """Rows by header name; columns without a name, such as an exported index, are passed over."""
    tabs = path.suffix.lower() == ".tsv"
    lines = _tsv_lines(path) if tabs else _csv_lines(path)
    names = _header(*next(lines))
    remedy = "TSV has no quoting, so a field can hold no tab" if tabs else "put quotes around a field with a delimiter"
    for where, cells in lines:
        if len(cells) != len(names):
            seen = f"{len(cells)} fields in {shown(cells)}; expected {len(names)} as in the header"
            raise BadInput(f"{where}: {seen}: {remedy}")
        yield Row(where, {name: cell for name, cell in zip(names, cells, strict=True) if name})


def _header(where: str, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in filter(None, names):
        if names.count(name) > 1:
            raise BadInput(f"{where}: the column {shown(name)} twice; expected unique names: rename one")
    return names


def _tsv_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Lines parted at tabs and at nothing else (text/tab-separated-values), and where each stands."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line:
            yield f"{path}:{number}", line.split("\t")


def _csv_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Non-blank records and where each starts: quoted text may run over several lines."""
    text = read_text(path)
    header = text.lstrip("\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), ())))
    reader = csv.reader(StringIO(text), delimiter=delimiter, strict=True)
    while True:
        where = f"{path}:{reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadInput(f"{where}: broken row ({error}); expected quotes in pairs: repair the row") from None
        if cells is None:
            return
        if cells:
            yield where, cells

"""Contrasts from files: pairs in a row, labelled texts, or a file for each kind."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from latentmech.data.contrast import PROMPT, Contrast, contrast_of
from latentmech.data.examples import Examples, distinct, merge
from latentmech.data.table import Row, csv_rows, json_rows, jsonl_rows, label, split_in, tabulated
from latentmech.errors import BadInput, expected

READERS = {".jsonl": jsonl_rows, ".json": json_rows, ".csv": csv_rows, ".tsv": csv_rows}
KNOWN_AS = {
    "question": PROMPT,
    "answer_matching_behavior": "positive",
    "answer_not_matching_behavior": "negative",
    "instruction": "text",
    "statement": "text",
}
YES = ("positive", "true", "yes", "1")


def read_pair_file(path: Path, positive: str | None) -> Contrast:
    """One file: rows with `positive` and `negative`, or rows with `text` and `label`.

    Columns are also known by the names that published sets give them: `question`, `answer_matching_behavior`,
    `answer_not_matching_behavior`; `instruction`, `statement`.
    """
    rows = _rows(path)
    names = set(rows[0].values)
    if {"positive", "negative"} <= names:
        return _from_pairs(path, rows)
    if {"text", "label"} <= names:
        return _from_labels(tabulated(path, rows), positive)
    advice = expected("positive", sorted(names), "the row has")
    raise BadInput(f"{rows[0].where}: neither positive and negative nor text and label in the row; {advice}: rename")


def read_pair_folder(folder: Path, positive: str | None) -> Contrast:
    """Files whose names say label and split, such as `harmful_train.json`; a file without a split is left aside."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS)
    named = [(path, split) for path in files if (split := split_in(path.stem))]
    if not named:
        raise BadInput(f"{folder}: no file is named after label and split; expected such as harmful_train.json")
    aside = [path.name for path in files if path not in dict(named)]
    contrast = _from_labels(replace(merge([_part(*n) for n in named]), own_splits=True, source=str(folder)), positive)
    note = f"{folder} holds more, not read: {', '.join(aside)}"
    return replace(contrast, notes=(*contrast.notes, note)) if aside else contrast


def read_texts(path: Path) -> Examples:
    """The texts of a file that has one kind only, such as a benchmark of harmful requests."""
    return tabulated(path, _rows(path))


def has_both_kinds(path: Path) -> bool:
    """Whether a file or folder is a contrast by itself, and not texts of one kind."""
    if path.is_dir():
        return True
    return holds_pairs(path) or {"text", "label"} <= set(_rows(path)[0].values)


def holds_pairs(path: Path) -> bool:
    """Whether a file has `positive` and `negative` in a row."""
    return path.suffix.lower() in READERS and {"positive", "negative"} <= set(_rows(path)[0].values)


def _rows(path: Path) -> list[Row]:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        seen = f"{path}: the suffix {path.suffix!r}"
        raise BadInput(f"{seen}; expected one of {', '.join(READERS)}: convert the file or rename it")
    return [Row(row.where, {KNOWN_AS.get(k, k): v for k, v in row.values.items()}) for row in reader(path)]


def _part(path: Path, split: str) -> Examples:
    kind = re.sub(rf"[\W_]*{re.escape(_split_word(path.stem))}[\W_]*", "", path.stem) or path.stem
    return tabulated(path, [Row(row.where, row.values | {"label": kind, "split": split}) for row in _rows(path)])


def _split_word(stem: str) -> str:
    """The part of a file's name that says the split."""
    return next(part for part in re.split(r"[\W_\d]+", stem) if split_in(part))


def _from_pairs(path: Path, rows: Sequence[Row]) -> Contrast:
    """Each row twice; both members of a pair are in its group, or in one of their own."""
    kinds = {kind: [_member(path, i, row, kind) for i, row in enumerate(rows, 1)] for kind in ("positive", "negative")}
    positive, negative = (tabulated(path, members) for members in kinds.values())
    return Contrast(positive=positive, negative=negative, paired=True, source=str(path))


def _member(path: Path, ordinal: int, row: Row, kind: str) -> Row:
    name = label(row.values.get("id"), row.where) or f"{path.stem}-{ordinal}"
    if not isinstance(row.values.get(kind), str) or not str(row.values[kind]).strip():
        raise BadInput(
            f"{row.where}: {kind} is {row.values.get(kind)!r}; expected some words: fill in or delete the row"
        )
    rest = {k: v for k, v in row.values.items() if k not in ("positive", "negative")}
    group = label(row.values.get("group"), row.where) or name
    return Row(row.where, rest | {"id": f"{name}/{kind}", "text": row.values[kind], "group": group})


def _from_labels(examples: Examples, positive: str | None) -> Contrast:
    labels = examples.columns["label"]
    seen = [value for value in distinct(str(value) for value in labels) if value != "None"]
    wanted = positive if positive is not None else next((v for v in seen if v.lower() in YES), None)
    if wanted not in seen:
        what = f"the labels of {examples.source} are {', '.join(seen[:9])}"
        raise BadInput(f"{what}; expected one called {positive or 'positive, true, yes or 1'}: name it with `positive`")
    if len(seen) < 2:
        raise BadInput(f"every text of {examples.source} is labelled {seen[0]}; expected another kind beside it")
    known = examples.where(lambda i: labels[i] is not None)
    notes = (
        () if len(seen) == 2 else (f"positive is {wanted}; negative are {', '.join(v for v in seen if v != wanted)}",)
    )
    marked = np.array([value == wanted for value in known.columns["label"]], dtype=bool)
    return replace(contrast_of(known, marked, paired=False), notes=notes)

"""Word pairs from files: two columns, CSV with a header, or Google's questions-words (Mikolov et al. 2013).

A two-column file is one relation, named after the file. In questions-words a line `: name` begins a relation, and
each line below it is one question, `Athens Greece Oslo Norway`; exactly those are asked.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from latentmech.data.analogies import Analogies, all_questions
from latentmech.data.files import missing, read_text
from latentmech.data.rows import csv_rows
from latentmech.errors import BadInput, shown

Pair = tuple[str, str, str]  # relation, first, second
SUFFIXES = (".txt", ".csv", ".tsv")


def read_analogies(path: Path) -> Analogies:
    """One file, or every file of a folder."""
    if not path.exists():
        raise missing(path)
    if path.is_file():
        return _file(path)
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise BadInput(f"{path}: no word pairs in the folder; expected files ending in {', '.join(SUFFIXES)}")
    return replace(_joined([_file(p) for p in files]), source=str(path))


def _file(path: Path) -> Analogies:
    lines = [(f"{path}:{n}", line) for n, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    if any(line.startswith(":") for _, line in lines):
        return _from_questions(path, lines)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _from_pairs(path, [_row(path, row.where, row.values) for row in csv_rows(path)])
    return _from_pairs(path, [_two(path, where, line) for where, line in lines])


def _from_questions(path: Path, lines: Sequence[tuple[str, str]]) -> Analogies:
    number: dict[Pair, int] = {}
    relation, questions = "", []
    for where, line in lines:
        if line.startswith(":"):
            relation = line[1:].strip()
            continue
        words = line.split()
        if len(words) != 4 or not relation:
            seen = f"{where}: {shown(line)}; expected four words below a line such as ': capitals'"
            raise BadInput(f"{seen}: repair or delete the line")
        pairs: list[Pair] = [(relation, words[0], words[1]), (relation, words[2], words[3])]
        questions.append([number.setdefault(pair, len(number)) for pair in pairs])
    columns = _columns(list(number))
    return Analogies(**columns, questions=np.array(questions, dtype=np.int64).reshape(-1, 2), source=str(path))


def _from_pairs(path: Path, pairs: Sequence[Pair]) -> Analogies:
    """Every pair asked by every other of its relation. Only one answer can count as right, so the first one does."""
    first: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        if pair[1] != pair[2]:
            first.setdefault(pair[:2], pair)
    dropped = len(set(pairs)) - len(first)
    note = f"{path.name}: {dropped} pairs were left out, for their word has another answer before, or is its own"
    columns = _columns(list(first.values()))
    questions = all_questions(columns["relation"])
    return Analogies(**columns, questions=questions, source=str(path), notes=(note,) if dropped else ())


def _columns(pairs: Sequence[Pair]) -> dict[str, tuple[str, ...]]:
    relation, first, second = zip(*pairs, strict=True) if pairs else ((), (), ())
    return {"relation": relation, "first": first, "second": second}


def _row(path: Path, where: str, values: dict[str, object]) -> Pair:
    first, second = (str(values.get(name) or "").strip() for name in ("first", "second"))
    if not first or not second:
        raise BadInput(f"{where}: first or second is missing; expected the columns first and second: fill them in")
    return str(values.get("relation") or path.stem), first, second


def _two(path: Path, where: str, line: str) -> Pair:
    """Two words with a tab, a comma or blanks between them; only a tab or a comma allows blanks within a word."""
    between = next((mark for mark in ("\t", ",") if mark in line), None)
    words = [word.strip() for word in line.split(between)]
    if len(words) != 2 or not all(words):
        raise BadInput(f"{where}: {shown(line)}; expected two words with a tab between them: repair the line")
    return path.stem.strip("[] "), words[0], words[1]


def _joined(parts: Sequence[Analogies]) -> Analogies:
    starts = np.cumsum([0, *map(len, parts)])
    return Analogies(
        first=tuple(word for part in parts for word in part.first),
        second=tuple(word for part in parts for word in part.second),
        relation=tuple(name for part in parts for name in part.relation),
        questions=np.concatenate([part.questions + start for part, start in zip(parts, starts, strict=False)]),
        notes=tuple(note for part in parts for note in part.notes),
    )

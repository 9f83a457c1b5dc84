"""`WordPairs`: the settings that name analogies, and the call that reads them; and the bundled common words.

Files have two columns, or are CSV with a header, or Google's questions-words (Mikolov et al. 2013). A two-column file
is one relation, named after the file. In questions-words a line `: name` begins a relation, and each line below it is
one question, `Athens Greece Oslo Norway`; exactly those are asked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from latentmech.data.analogies import Analogies, all_questions
from latentmech.data.files import bundled, given, read_text
from latentmech.data.splits import seeded_order
from latentmech.data.table import csv_rows
from latentmech.errors import BadInput, expected, shown
from latentmech.fields import AtLeast, Idle, check

Pair = tuple[str, str, str]  # relation, first, second
SUFFIXES = (".txt", ".csv", ".tsv")


@dataclass(frozen=True)
class WordPairs:
    """Where word pairs come from. Called, it gives `Analogies` with two or more pairs in every relation.

    Attributes:
        path: a file with two columns, a CSV with `first,second` and perhaps `relation`, Google's questions-words, or
            a folder of such files; relative to the current directory. None reads the bundled pairs.
        relations: which relations to keep; None keeps all.
        limit: keep at most so many pairs of each relation.
        limit_seed: which ones.
    """

    path: str | Path | None = None
    relations: Sequence[str] | None = None
    limit: Annotated[int | None, AtLeast(2)] = None
    limit_seed: Annotated[int, Idle(lambda own: own.limit is None, "data.limit is not set")] = 0

    def __post_init__(self) -> None:
        check(self, "data")
        if isinstance(self.relations, str):
            raise BadInput(f"relations={self.relations}; expected a list, such as relations=[{self.relations}]")

    def __call__(self) -> Analogies:
        """Read, choose relations, limit."""
        if self.path is None:
            with bundled("word_lists") as folder:
                analogies = replace(read_analogies(folder / "pairs.csv"), source="bundled pairs")
        else:
            analogies = read_analogies(given(self.path))
        if self.relations is not None:
            analogies = self._chosen(analogies, self.relations)
        return with_company(analogies if self.limit is None else self._limited(analogies, self.limit))

    def _chosen(self, analogies: Analogies, relations: Sequence[str]) -> Analogies:
        for name in relations:
            if name not in analogies.relations:
                raise BadInput(f"{analogies.source} has no relation {name!r}; {expected(name, analogies.relations)}")
        return analogies.where(lambda i: analogies.relation[i] in relations)

    def _limited(self, analogies: Analogies, limit: int) -> Analogies:
        kept: set[str] = set()
        for name in analogies.relations:
            own = [f"{name}/{f}" for f, r in zip(analogies.first, analogies.relation, strict=True) if r == name]
            kept |= set(seeded_order(own, self.limit_seed)[:limit])
        return analogies.where(lambda i: f"{analogies.relation[i]}/{analogies.first[i]}" in kept)


def common_words() -> tuple[str, ...]:
    """2,517 English words that occur in the bundled texts, the commonest first; names are not among them."""
    with bundled("word_lists") as folder:
        return tuple((folder / "common.txt").read_text(encoding="utf-8").split())


def with_company(analogies: Analogies) -> Analogies:
    """Without the pairs that are alone in their relation.

    Raises:
        BadInput: no pair is left, or there is no question about those that are.
    """
    count = Counter(analogies.relation)
    kept = analogies.where(lambda i: count[analogies.relation[i]] > 1)
    if not len(kept.questions):
        seen = f"{analogies.source}: {len(analogies)} usable word pairs, no two of one relation"
        raise BadInput(f"{seen}; expected at least two pairs: check the file, or leave geometry.data.relations out")
    return kept


def read_analogies(path: Path) -> Analogies:
    """One file, or every file of a folder."""
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
    columns: dict[str, Any] = {
        name: sum((getattr(part, name) for part in parts), ()) for name in ("first", "second", "relation")
    }
    return Analogies(
        **columns,
        questions=np.concatenate([part.questions + start for part, start in zip(parts, starts, strict=False)]),
        notes=tuple(note for part in parts for note in part.notes),
    )

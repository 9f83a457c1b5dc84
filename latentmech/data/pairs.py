"""`Pairs`: the settings that name a contrast, and the call that reads it, splits it by group and balances it.

Files have pairs in a row or labelled texts; in a folder there is one for each kind.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np

from latentmech.data.contrast import PROMPT, Contrast, contrast_of, letters_balanced, said
from latentmech.data.corpus import check_unasked, grouped
from latentmech.data.examples import Examples, distinct, merge
from latentmech.data.files import bundled, bundled_names, check_bundled, given
from latentmech.data.splits import NAMES, check_shares, limited, normalised, seeded_order, with_splits
from latentmech.data.table import (
    Label,
    Row,
    by_suffix,
    csv_rows,
    json_rows,
    jsonl_rows,
    label,
    meant,
    split_in,
    tabulated,
    text_from,
)
from latentmech.data.words import said_of_words
from latentmech.errors import BadInput, expected, listed
from latentmech.fields import AtLeast, Idle, OneOf, check

READERS = {".jsonl": jsonl_rows, ".json": json_rows, ".csv": csv_rows, ".tsv": csv_rows}
KNOWN_AS = {
    "question": PROMPT,
    "answer_matching_behavior": "positive",
    "answer_not_matching_behavior": "negative",
    "instruction": "text",
    "statement": "text",
}
YES = ("positive", "true", "yes", "1")


@dataclass(frozen=True)
class Pairs:
    """Where contrasted texts come from. Called, it gives a `Contrast` in which every text has its split.

    Attributes:
        path: a JSONL, JSON, CSV or TSV file with `positive,negative` (and `prompt`, if these are answers) or with
            `text,label`; or a folder of files that are named after label and split. None reads a bundled set.
        name: which bundled set that is.
        positive: the label of the positive texts, for data with labels; by default what is called positive, true,
            yes or 1.
        balance: where one kind has more texts than the other in a split, keep a seeded sample of as many; and of
            lettered answers, as many pairs with each letter.
        limit: keep about so many texts, in whole groups.
        limit_seed: which ones.
        split: shares of train, dev and test, for data that comes without splits of its own.
        split_seed: which groups go where.
        group: a column that says what must not be separated, such as the entity that a statement is about.
        text: the column of labelled texts that is the text, if it has another name.
        too_long: texts longer than the model reads: `refuse` them, or `leave_out`, pairs as a whole.
    """

    path: str | Path | None = None
    name: Annotated[str, Idle(lambda own: own.path is not None, "data.path is read", noted=False)] = "sentiment"
    positive: Annotated[Label, Idle(lambda own: own.path is None, "bundled sets are pairs")] = None
    balance: bool = True
    limit: Annotated[int | None, AtLeast(1)] = None
    limit_seed: Annotated[int, Idle(lambda own: not (own.balance or own.limit), "nothing is sampled")] = 0
    split: Sequence[float] = (0.6, 0.2, 0.2)
    split_seed: int = 0
    group: str | None = None
    text: str | None = None
    too_long: Annotated[str, OneOf("refuse", "leave_out")] = "refuse"

    def __post_init__(self) -> None:
        check(self, "data")
        check_shares(self.split)
        if self.path is None:
            check_bundled("contrasts", "contrast", self.name)
            check_unasked(self.text, "a bundled contrast")

    def __call__(self) -> Contrast:
        """Read, split, balance, limit."""
        contrast = self._read()
        joint, positive = contrast.joint, contrast.labels
        joint = joint if self.group is None else grouped(joint, self.group)
        joint = replace(joint, splits=with_splits(said(joint), NAMES, self.split, self.split_seed).splits)
        notes = list(contrast.notes)
        if self.balance and contrast.paired:
            even = letters_balanced(replace(contrast_of(joint, positive, paired=True), notes=()), self.limit_seed)
            joint, positive, notes = even.joint, even.labels, [*notes, *even.notes]
        elif self.balance:
            joint, positive, note = _balanced(joint, positive, self.limit_seed)
            notes += [note] if note else []
        if self.limit is not None:
            joint, positive = _limited(joint, positive, self.limit, self.limit_seed)
        _check_splits(joint, positive)
        notes += said_of_words(joint.texts)
        return replace(contrast_of(joint, positive, paired=contrast.paired), source=contrast.source, notes=tuple(notes))

    def _read(self) -> Contrast:
        if self.path is None:
            with bundled("contrasts") as folder:
                return replace(read_pair_file(folder / f"{self.name}.jsonl", None), source=f"bundled {self.name}")
        path = given(self.path)
        return (read_pair_folder if path.is_dir() else read_pair_file)(path, self.positive, self.text)


def bundled_pairs() -> list[str]:
    """Names of the bundled contrasts."""
    return bundled_names("contrasts")


def _balanced(joint: Examples, positive: np.ndarray, seed: int) -> tuple[Examples, np.ndarray, str]:
    """As many texts of one kind as of the other in every split, and what that left out."""
    splits = np.array(joint.splits)
    kept: list[int] = []
    for split in dict.fromkeys(joint.splits):
        kinds = [np.flatnonzero((splits == split) & (positive == kind)).tolist() for kind in (True, False)]
        fewest = min(map(len, kinds))
        kept += [i for kind in kinds for i in _sample(joint, kind, fewest, seed)]
    dropped = len(joint) - len(kept)
    note = f"{dropped} of {len(joint)} texts were left out so that both kinds are equally many in every split"
    order = sorted(kept)
    return joint.select(order), positive[order], note if dropped else ""


def _sample(joint: Examples, places: list[int], n: int, seed: int) -> list[int]:
    by_id = {joint.ids[i]: i for i in places}
    return [by_id[name] for name in seeded_order(by_id, seed)[:n]]


def _limited(joint: Examples, positive: np.ndarray, limit: int, seed: int) -> tuple[Examples, np.ndarray]:
    """Each kind by its share, so that a small sample has both; pairs share a group and stay whole."""
    kind = dict(zip(joint.ids, positive.tolist(), strict=True))
    grouped = limited(joint, limit, seed)
    return grouped, np.array([kind[name] for name in grouped.ids], dtype=bool)


def _check_splits(joint: Examples, positive: np.ndarray) -> None:
    splits = np.array(joint.splits)
    for split in NAMES:
        for kind, name in ((True, "positive"), (False, "negative")):
            if not ((splits == split) & (positive == kind)).any():
                seen = f"{joint.source} has no {name} text in {split}"
                raise BadInput(f"{seen}; expected some of either kind in every split: add texts, or raise `limit`")


def read_pair_file(path: Path, positive: Label, text: str | None = None) -> Contrast:
    """One file: rows with `positive` and `negative`, or rows with `text` and `label`.

    Columns are also known by the names that published sets give them: `question`, `answer_matching_behavior`,
    `answer_not_matching_behavior`; `instruction`, `statement`.
    """
    rows = _rows(path, text)
    names = set(rows[0].values)
    if {"positive", "negative"} <= names:
        check_unasked(text, str(path))
        return _from_pairs(path, rows)
    if {"text", "label"} <= names:
        return _from_labels(tabulated(path, rows), positive)
    advice = expected("positive", sorted(names), "the row has")
    raise BadInput(f"{rows[0].where}: neither positive and negative nor text and label in the row; {advice}: rename")


def read_pair_folder(folder: Path, positive: Label, text: str | None = None) -> Contrast:
    """Files whose names say label and split, such as `harmful_train.json`; a file without a split is left aside."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS)
    named = [(path, split) for path in files if (split := split_in(path.stem))]
    if not named:
        raise BadInput(f"{folder}: no file is named after label and split; expected such as harmful_train.json")
    aside = [path.name for path in files if path not in dict(named)]
    joint = merge([_part(*one, text) for one in named])
    contrast = _from_labels(replace(joint, own_splits=True, source=str(folder)), positive)
    note = f"{folder} holds more, not read: {listed(aside)}"
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


def _rows(path: Path, text: str | None = None) -> list[Row]:
    rows = by_suffix(path, READERS)(path)
    rows = rows if {"positive", "negative"} <= set(rows[0].values) else text_from(rows, text)
    return [Row(row.where, {KNOWN_AS.get(k, k): v for k, v in row.values.items()}) for row in rows]


def _part(path: Path, split: str, text: str | None) -> Examples:
    said = next(part for part in re.split(r"[\W_\d]+", path.stem) if split_in(part))
    kind = re.sub(rf"[\W_]*{re.escape(said)}[\W_]*", "", path.stem) or path.stem
    return tabulated(path, [Row(row.where, row.values | {"label": kind, "split": split}) for row in _rows(path, text)])


def _from_pairs(path: Path, rows: Sequence[Row]) -> Contrast:
    """Each row twice; both members of a pair are in its group, or in one of their own. Equal members are no pair."""
    kinds = {kind: [_member(path, i, row, kind) for i, row in enumerate(rows, 1)] for kind in ("positive", "negative")}
    positive, negative = (tabulated(path, members) for members in kinds.values())
    texts = list(zip(positive.texts, negative.texts, strict=True))
    kept = [i for i, (one, other) in enumerate(texts) if normalised(one) != normalised(other)]
    if not kept:
        raise BadInput(f"{path}: positive and negative are the same text in all rows; expected texts that differ")
    note = f"{len(texts) - len(kept)} of {len(texts)} pairs have the same text twice and were left out"
    notes = (*positive.notes, *([note] if len(kept) < len(texts) else []))
    positive, negative = positive.select(kept), negative.select(kept)
    return Contrast(positive=positive, negative=negative, paired=True, source=str(path), notes=notes)


def _member(path: Path, ordinal: int, row: Row, kind: str) -> Row:
    name = label(row.values.get("id"), row.where) or f"{path.stem}-{ordinal}"
    if not isinstance(row.values.get(kind), str) or not str(row.values[kind]).strip():
        raise BadInput(
            f"{row.where}: {kind} is {row.values.get(kind)!r}; expected some words: fill in or delete the row"
        )
    rest = {k: v for k, v in row.values.items() if k not in ("positive", "negative")}
    group = label(row.values.get("group"), row.where) or name
    return Row(row.where, rest | {"id": f"{name}/{kind}", "text": row.values[kind], "group": group})


def _from_labels(examples: Examples, positive: Label) -> Contrast:
    labels, where = examples.columns["label"], f"the column 'label' of {examples.source}"
    seen = distinct(filter(None, labels))
    wanted = next((v for v in seen if v.lower() in YES), None) if positive is None else meant(positive, seen, where)
    if wanted is None:
        what = f"the labels of {examples.source} are {listed(seen) or 'all blank'}"
        raise BadInput(f"{what}; expected one called positive, true, yes or 1: name it with `positive`")
    if len(seen) < 2:
        raise BadInput(f"every text of {examples.source} is labelled {seen[0]}; expected another kind beside it")
    known = examples.where(lambda i: labels[i] is not None)
    others = listed(v for v in seen if v != wanted)
    notes = examples.notes if len(seen) == 2 else (*examples.notes, f"positive is {wanted}; negative are {others}")
    marked = np.array([value == wanted for value in known.columns["label"]], dtype=bool)
    return replace(contrast_of(known, marked, paired=False), notes=notes)

"""`Pairs`: the settings that name a contrast, and the call that reads it, splits it by group and balances it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np

from latentmech.data.contrast import Contrast, contrast_of, letters_balanced, said
from latentmech.data.corpus import grouped
from latentmech.data.examples import Examples
from latentmech.data.files import bundled, bundled_names, check_bundled, given
from latentmech.data.pair_files import read_pair_file, read_pair_folder
from latentmech.data.splits import NAMES, check_shares, limited, seeded_order, with_splits
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, check


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
    """

    path: str | Path | None = None
    name: str = "sentiment"
    positive: str | None = None
    balance: bool = True
    limit: Annotated[int | None, AtLeast(1)] = None
    limit_seed: int = 0
    split: Sequence[float] = (0.6, 0.2, 0.2)
    split_seed: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        check(self, "data")
        check_shares(self.split)
        if self.path is None:
            check_bundled("contrasts", "contrast", self.name)

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
        return replace(contrast_of(joint, positive, paired=contrast.paired), source=contrast.source, notes=tuple(notes))

    def _read(self) -> Contrast:
        if self.path is None:
            with bundled("contrasts") as folder:
                return replace(read_pair_file(folder / f"{self.name}.jsonl", None), source=f"bundled {self.name}")
        path = given(self.path)
        return read_pair_folder(path, self.positive) if path.is_dir() else read_pair_file(path, self.positive)


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

"""`TextPairs`: pairs of texts that say the same or do not, to set a threshold of similarity by."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from latentmech.data.examples import Examples
from latentmech.data.rows import jsonl_rows
from latentmech.data.splits import seeded_order, tied
from latentmech.data.table import Row, tabulated
from latentmech.errors import BadInput


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs with their labels.

    Attributes:
        left: the first text of each pair.
        right: the second.
        duplicate: whether they say the same.
        dev: which pairs are there to choose by; the others are test.
        groups: a name for each pair, the same where pairs share a text, directly or through others.
    """

    left: Examples
    right: Examples
    duplicate: np.ndarray
    dev: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class TextPairs:
    """Where labelled pairs come from. Called, it gives them with half of either kind as dev.

    Attributes:
        path: a JSONL file with `a`, `b` and `duplicate` (true or false). None reads the bundled pairs.
        seed: which pairs are dev.
    """

    path: str | Path | None = None
    seed: int = 0

    def __call__(self) -> LabelledPairs:
        """Read and halve."""
        if self.path is not None:
            return _labelled(Path(self.path).expanduser(), self.seed)
        with resources.as_file(resources.files("latentmech.data") / "collections" / "passages") as folder:
            return _labelled(folder / "pairs.jsonl", self.seed)


def _labelled(path: Path, seed: int) -> LabelledPairs:
    rows = jsonl_rows(path)
    for row in rows:
        if not isinstance(row.values.get("duplicate"), bool):
            raise BadInput(f"{row.where}: duplicate is {row.values.get('duplicate')!r}; expected true or false")
    left, right = (tabulated(path, [Row(row.where, {"text": row.values.get(side)}) for row in rows]) for side in "ab")
    duplicate = np.array([row.values["duplicate"] for row in rows])
    dev = np.zeros(len(rows), dtype=bool)
    for kind in (True, False):
        places = np.flatnonzero(duplicate == kind)
        if len(places) < 2:
            raise BadInput(f"{path}: {len(places)} pairs with duplicate={str(kind).lower()}; expected at least 2")
        order = seeded_order(map(str, places.tolist()), seed)
        dev[[int(name) for name in order[: len(order) // 2]]] = True
    groups = tied([*left.texts, *right.texts], [*left.ids, *right.ids])[: len(rows)]
    return LabelledPairs(left, right, duplicate, dev, np.array(groups, dtype=object))

"""`Library` and `TextPairs`: the settings that name a test collection, and labelled pairs of texts, and read them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np

from latentmech.data.beir import is_beir, read_beir
from latentmech.data.collection import Collection, at_least, fewer_documents, fewer_queries, halved
from latentmech.data.examples import Examples
from latentmech.data.files import bundled, check_bundled, given
from latentmech.data.splits import seeded_order, tied_groups
from latentmech.data.table import Row, jsonl_rows, tabulated
from latentmech.data.trec import read_trec
from latentmech.data.words import said_of_words
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Idle, OneOf, check


@dataclass(frozen=True)
class Library:
    """Where documents, queries and judgements come from. Called, it gives a `Collection`.

    Attributes:
        path: a BEIR-style folder (`corpus.jsonl`, `queries.jsonl`, `qrels/*.tsv`) or one with TREC files. None reads a
            bundled collection.
        name: which bundled collection that is.
        numbering: of the topics of TREC files: `id`, or `position` where judgements count them by their place.
        limit: search only about so many documents: all relevant ones and a seeded sample of the rest.
        query_limit: keep only about so many queries.
        too_long: texts longer than the model reads: `refuse` them, or `cut` them as sentence encoders do.
        dev: the share of the queries to choose by, for data without splits of its own.
        seed: of that split and of both samples.
    """

    path: str | Path | None = None
    name: Annotated[str, Idle(lambda own: own.path is not None, "data.path is read", noted=False)] = "passages"
    numbering: Annotated[
        str, OneOf("id", "position"), Idle(lambda own: own.path is None, "it is for topics of TREC files")
    ] = "id"
    limit: Annotated[int | None, AtLeast(2)] = None
    query_limit: Annotated[int | None, AtLeast(2)] = None
    too_long: Annotated[str, OneOf("refuse", "cut")] = "refuse"
    dev: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "data")
        if not 0 < self.dev < 1:
            raise BadInput(f"data.dev={self.dev}; expected a share of the queries between 0 and 1")
        if self.path is None:
            check_bundled("collections", "collection", self.name)

    def __call__(self) -> Collection:
        """Read, split the queries, limit."""
        collection = self._read()
        if not collection.queries.own_splits:
            collection = halved(collection, self.dev, self.seed)
        if self.query_limit is not None:
            collection = fewer_queries(collection, self.query_limit, self.seed)
        if self.limit is not None and self.limit < len(collection.documents):
            collection = fewer_documents(collection, self.limit, self.seed)
        at_least(collection)
        words = said_of_words([*collection.documents.texts, *collection.queries.texts])
        documents, queries = (replace(e, too_long=self.too_long) for e in (collection.documents, collection.queries))
        return replace(collection, documents=documents, queries=queries, notes=(*collection.notes, *words))

    def _read(self) -> Collection:
        if self.path is None:
            with bundled("collections") as folder:
                return replace(read_beir(folder / self.name), source=f"bundled {self.name}")
        path = given(self.path)
        if not path.is_dir():
            raise BadInput(f"{path} is a file; expected a folder: corpus.jsonl, queries.jsonl, qrels/, or TREC files")
        return read_beir(path) if is_beir(path) else read_trec(path, self.numbering)


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
        with bundled("collections") as folder:
            return _labelled(folder / "passages" / "pairs.jsonl", self.seed)


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
    groups = tied_groups([*left.texts, *right.texts], [*left.ids, *right.ids])[: len(rows)]
    return LabelledPairs(left, right, duplicate, dev, np.array(groups, dtype=object))

"""`VectorDatabase`: where indexes are kept; `Searcher`: documents in one, and how other texts become their like.

A folder is a database, and so is an object store's URI (`s3://bucket/path`, credentials as LanceDB takes them) or
LanceDB's own service (`db://name`, with LANCEDB_API_KEY). A table is an index; its card stands in the table's schema.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentmech.data import Collection, Examples
from latentmech.errors import BadInput, ResourceError, first_line
from latentmech.retrieval.ranking import NOTHING, Ranking, depth_of
from latentmech.retrieval.settings import VectorDatabaseSettings
from latentmech.retrieval.vector_index import CARD, VectorIndex
from latentmech.retrieval.vectors import Card, Vectors, check_card
from latentmech.storage import cache_root, canonical_json, fingerprint, make_folder


@dataclass(frozen=True, kw_only=True)
class VectorDatabase(VectorDatabaseSettings):
    """A place with indexes. Its settings are those of `VectorDatabaseSettings`."""

    @property
    def where(self) -> str:
        """Its address, as LanceDB takes it."""
        uri = self.uri or str(make_folder(cache_root() / "indexes"))
        return uri if "://" in uri else str(Path(uri).expanduser())

    def connect(self) -> Any:
        """The database, once it has answered.

        Raises:
            ResourceError: it cannot be reached.
        """
        import lancedb

        try:
            database = lancedb.connect(self.where)
            database.list_tables()
        except (OSError, RuntimeError, ValueError) as error:
            seen = f"cannot reach the vector database {self.where} ({_reason(error)})"
            raise ResourceError(f"{seen}; look at retrieval.index.uri and at the credentials") from error
        return database

    def open(self, name: str, card: Card, d: int) -> VectorIndex:
        """An index for vectors of `d` numbers made as `card` says; made if it is not there.

        Raises:
            IntegrityError: it was filled by another model, level, pooling or space.
            ResourceError: the database cannot be reached or written.
        """
        import pyarrow as pa

        database = self.connect()
        columns = [pa.field("id", pa.string()), pa.field("vector", pa.list_(pa.float32(), d))]
        schema = pa.schema(columns, metadata={CARD: canonical_json(card).encode()})
        try:
            there = name in _names(database)
            table = database.open_table(name) if there else database.create_table(name, schema=schema)
        except (OSError, RuntimeError, ValueError) as error:
            raise ResourceError(f"cannot open the index {name} in {self.where} ({_reason(error)})") from error
        index = VectorIndex(table, self.exact_below, self.nprobes, f"the index {name} in {self.where}")
        check_card(index.card, card, index.where)
        return index


def _names(database: Any) -> list[str]:
    """Tables of a database, which come page by page."""
    names, page = list[str](), None
    while True:
        found = database.list_tables(page_token=page)
        names, page = names + list(found.tables), found.page_token
        if not page:
            return names


def _reason(error: Exception) -> str:
    """What an object store says itself, if that is in it; else the beginning of the first line."""
    said = re.search(r"<Message>(.*?)</Message>", str(error))
    return said[1] if said else first_line(error)[:200]


@dataclass(frozen=True, kw_only=True)
class Searcher:
    """One way to search a corpus.

    Attributes:
        documents: their vectors.
        index: holds them.
        encode: makes vectors of other texts, in the same way.
        ask: makes vectors of queries.
    """

    documents: Vectors
    index: VectorIndex
    encode: Callable[[Examples], Vectors]
    ask: Callable[[Examples], Vectors]

    def ranking(self, collection: Collection) -> Ranking:
        """What is found for the queries of `collection`."""
        names, cosines = self.index.search(self.ask(collection.queries), depth_of(collection))
        place = {name: i for i, name in enumerate(collection.documents.ids)}
        width = max(map(len, names))
        documents = [[place[name] for name in row] + [NOTHING] * (width - len(row)) for row in names]
        scores = [row + [-np.inf] * (width - len(row)) for row in cosines]
        return Ranking(np.array(documents, dtype=np.int64), np.array(scores))

    def recall(self, queries: Examples) -> float | None:
        """recall@10 of the index for these queries; None where its search is exact."""
        return self.index.recall(self.ask(queries)) if self.index.is_approximate else None


def searcher(
    database: VectorDatabase, documents: Examples, vectors: Vectors, encode: Callable[[Examples], Vectors],
    ask: Callable[[Examples], Vectors] | None = None,
) -> Searcher:  # fmt: skip
    """Put the documents into their index, unless they are there.

    Args:
        ask: makes vectors of queries, if that is another thing than `encode`.

    Raises:
        BadInput: a named index holds other texts too, which nobody has judged.
        IntegrityError: it was filled with vectors of another origin.
    """
    own = fingerprint([dict(vectors.card), documents.ids, documents.texts])[:32]
    index = database.open(database.name or own, vectors.card, vectors.rows.shape[1])
    if strange := set(index.ids()) - set(vectors.ids):
        seen = f"{index.where} holds {len(strange)} texts that are not in {documents.source}"
        raise BadInput(f"{seen}, {min(strange)} for one; name another with retrieval.index.name")
    if database.name is not None or len(index) < len(vectors.ids):
        index.add(vectors)
    return Searcher(documents=vectors, index=index, encode=encode, ask=ask or encode)

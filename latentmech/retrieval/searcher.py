"""`Searcher`: documents in an index, and a way to make vectors of other texts that may be compared with them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latentmech.data import Collection, Examples
from latentmech.errors import BadInput
from latentmech.retrieval.ranking import DEPTH, NOTHING, Ranking
from latentmech.retrieval.vector_database import VectorDatabase
from latentmech.retrieval.vector_index import VectorIndex
from latentmech.retrieval.vectors import Vectors
from latentmech.storage import fingerprint


@dataclass(frozen=True, kw_only=True)
class Searcher:
    """One way to search a corpus.

    Attributes:
        documents: their vectors.
        index: holds them.
        encode: makes vectors of other texts, in the same way.
    """

    documents: Vectors
    index: VectorIndex
    encode: Callable[[Examples], Vectors]

    def ranking(self, collection: Collection) -> Ranking:
        """What is found for the queries of `collection`."""
        names, cosines = self.index.search(self.encode(collection.queries), DEPTH)
        place = {name: i for i, name in enumerate(collection.documents.ids)}
        width = max(map(len, names))
        documents = [[place[name] for name in row] + [NOTHING] * (width - len(row)) for row in names]
        scores = [row + [-np.inf] * (width - len(row)) for row in cosines]
        return Ranking(np.array(documents, dtype=np.int64), np.array(scores))

    def recall(self, queries: Examples) -> float | None:
        """recall@10 of the index for these queries; None where its search is exact."""
        return self.index.recall(self.encode(queries)) if self.index.is_approximate else None


def searcher(
    database: VectorDatabase, documents: Examples, vectors: Vectors, encode: Callable[[Examples], Vectors]
) -> Searcher:
    """Put the documents into their index, unless they are there.

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
    return Searcher(documents=vectors, index=index, encode=encode)

"""Every level, pooling and space of a model as a searcher, and how well each does on the dev queries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Collection
from latentmech.model import Level, Model
from latentmech.retrieval.ranking import MAIN, Ranking, by_cosine, depth_of, per_query
from latentmech.retrieval.spaces import fit


@dataclass(frozen=True, eq=False)
class SearchCandidate:
    """A way to turn texts into vectors, and its nDCG@10 on each dev query."""

    level: Level
    pooling: str
    space: str
    dev: Float[np.ndarray, " query"]

    @property
    def score(self) -> float:
        """Mean over the dev queries."""
        return float(self.dev.mean())

    @property
    def way(self) -> str:
        """Such as `weighted_mean, whitened`."""
        return f"{self.pooling}, {self.space}"


@dataclass(frozen=True)
class Encoded:
    """Documents and queries of a collection at every level, under every pooling, from one forward each."""

    documents: Activations
    queries: Activations
    poolings: Sequence[str]

    def at(self, level: Level, pooling: str) -> tuple[Float[Tensor, "document d"], Float[Tensor, "query d"]]:
        """Documents and queries as they come out of one level."""
        sides = (part.level(level.hook_name) for part in (self.documents, self.queries))
        n, which = len(self.poolings), list(self.poolings).index(pooling)
        documents, queries = (rearrange(rows, "(text pooling) d -> pooling text d", pooling=n)[which] for rows in sides)
        return documents, queries


def encoded(
    model: Model, store: ActivationStore, collection: Collection, levels: Sequence[Level], poolings: Sequence[str]
) -> Encoded:
    """Ask the store for both sides."""
    position = f"text_{'+'.join(poolings)}"
    documents = store.get(model, collection.documents, levels, position)
    return Encoded(documents, store.get(model, collection.queries, levels, position), poolings)


def candidates(
    both: Encoded, collection: Collection, levels: Sequence[Level], spaces: Sequence[str]
) -> Iterator[SearchCandidate]:
    """All of them, from the embedding up."""
    dev = collection.only("dev")
    for level, pooling, space in product(levels, both.poolings, spaces):
        candidate = SearchCandidate(level, pooling, space, np.empty(0))
        ranking = exactly(both, candidate, collection, "dev", depth=10)
        yield replace(candidate, dev=per_query(ranking, dev, (MAIN,))[MAIN])


def exactly(both: Encoded, candidate: SearchCandidate, collection: Collection, split: str, depth: int) -> Ranking:
    """The queries of a split, searched in memory."""
    documents, queries = both.at(candidate.level, candidate.pooling)
    asked = [i for i, own in enumerate(collection.queries.splits) if own == split]
    space = fit(candidate.space, documents)
    return by_cosine(space(queries[asked]), space(documents), depth_of(collection, depth))


def best_of(found: Sequence[SearchCandidate]) -> int:
    """The place of the best; of equals the first, which lies lowest."""
    return int(np.argmax([candidate.score for candidate in found]))

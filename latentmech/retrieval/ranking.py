"""`Ranking`: the documents found for each query, best first, and exact search by cosine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

NOTHING = -1  # in place of a document where fewer were found than asked for
ROWS = 1024  # queries whose cosines are in memory together


@dataclass(frozen=True)
class Ranking:
    """What one searcher found.

    Attributes:
        documents: per query, places of documents in the corpus, best first; -1 where nothing more was found.
        scores: what they were ranked by, falling.
    """

    documents: Int[np.ndarray, "query rank"]
    scores: Float[np.ndarray, "query rank"]

    def run(self, queries: Sequence[str], documents: Sequence[str]) -> dict[str, dict[str, float]]:
        """As evaluation tools take it: query id -> document id -> score.

        They sort by score themselves and break ties by name; so that the order stays ours, the score is the rank.
        """
        best = self.documents.shape[1]
        return {
            query: {documents[d]: float(best - rank) for rank, d in enumerate(row) if d != NOTHING}
            for query, row in zip(queries, self.documents.tolist(), strict=True)
        }


def by_cosine(queries: Float[Tensor, "query d"], documents: Float[Tensor, "document d"], depth: int) -> Ranking:
    """Exact search: every query against every document."""
    unit = torch.nn.functional.normalize(documents, dim=-1)
    found = []
    for some in torch.nn.functional.normalize(queries, dim=-1).split(ROWS):
        found.append(torch.topk(some @ unit.T, min(depth, len(unit)), dim=1))
    scores, places = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return Ranking(places.astype(np.int64), scores.astype(np.float64))

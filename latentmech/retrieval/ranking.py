"""`Ranking`: the documents found for each query, best first; exact search by cosine; how good it is, query by query.

Measures are those of ir-measures (MacAvaney et al. 2022), which asks trec_eval:

    nDCG@k   = DCG@k / (DCG@k of the best order),  DCG@k = sum_i grade_i / log2(i + 1)
    recall@k = relevant documents among the first k / all relevant documents
    MRR      = 1 / rank of the first relevant document
    MAP      = mean over relevant documents of the precision at their ranks

A query that is a document of the collection, by id and text, is left out of its own list, as BEIR does; whoever
searches looks one document further for it. What is not judged counts as not relevant, so on data whose judgements were
pooled from lexical searchers a good document that they did not find counts against whoever finds it.

Some documents are found for, or relevant to, many queries, so knowing nothing of a query is worth more than 0. How
much, a ranking shows that is judged by what other queries asked for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import Collection

NOTHING = -1  # in place of a document where fewer were found than asked for
ROWS = 1024  # queries whose cosines are in memory together
MAIN = "ndcg@10"
DEPTH = 100  # documents found per query; beyond it nothing counts
Scores = Mapping[str, Float[np.ndarray, " query"]]


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


def depth_of(collection: Collection, depth: int = DEPTH) -> int:
    """How far to search so that `depth` documents are left when queries are taken out of their own lists."""
    return depth + bool(collection.itself)


def by_cosine(queries: Float[Tensor, "query d"], documents: Float[Tensor, "document d"], depth: int) -> Ranking:
    """Exact search: every query against every document."""
    unit = torch.nn.functional.normalize(documents, dim=-1)
    found = []
    for some in torch.nn.functional.normalize(queries, dim=-1).split(ROWS):
        found.append(torch.topk(some @ unit.T, min(depth, len(unit)), dim=1))
    scores, places = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return Ranking(places.astype(np.int64), scores.astype(np.float64))


def per_query(ranking: Ranking, collection: Collection, names: Sequence[str] = ()) -> Scores:
    """Every measure, or those in `names`, for every query of `collection`, in its order."""
    import ir_measures
    from ir_measures import AP, RR, R, nDCG

    known = {MAIN: nDCG @ 10, "recall@10": R @ 10, "recall@100": R @ 100, "mrr": RR, "map": AP}
    wanted = {known[name]: name for name in names or known}
    queries = collection.queries.ids
    place = {query: i for i, query in enumerate(queries)}
    scores = {name: np.zeros(len(queries)) for name in wanted.values()}  # a query for which nothing was found has 0
    run = ranking.run(queries, collection.documents.ids)
    for itself in collection.itself & run.keys():
        run[itself].pop(itself, None)
    judged = {query: dict(graded) for query, graded in collection.judgements.items()}
    for one in ir_measures.iter_calc(list(wanted), judged, run):
        scores[wanted[one.measure]][place[one.query_id]] = one.value
    return scores


def shuffled_scores(
    ranking: Ranking, collection: Collection, shuffles: int, seed: int
) -> Float[np.ndarray, " shuffle"]:
    """Mean nDCG@10 when queries are judged by what those of another group asked for: the null of a permutation test.

    Where every query is a group of its own, judgements are exchanged among queries; else among groups, a query of a
    smaller group lending its judgements more than once.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name, group in zip(collection.queries.ids, collection.queries.groups, strict=True):
        members[group].append(name)
    groups, random = list(members.values()), np.random.default_rng(seed)
    means = []
    for _ in range(shuffles):
        others = [groups[i] for i in random.permutation(len(groups))]
        lender = {
            name: other[i % len(other)] for own, other in zip(groups, others, strict=True) for i, name in enumerate(own)
        }
        judged = {name: collection.judgements[lender[name]] for name in collection.queries.ids}
        means.append(per_query(ranking, replace(collection, judgements=judged), (MAIN,))[MAIN].mean())
    return np.array(means)

"""`Findings`: what a retrieval study has measured, before it is put into words, tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from latentmech.data import Collection
from latentmech.retrieval.candidates import Candidate
from latentmech.retrieval.corpus import CorpusFindings
from latentmech.retrieval.measures import MAIN, Scores, per_query
from latentmech.retrieval.ranking import Ranking
from latentmech.retrieval.searcher import Searcher
from latentmech.statistics import Estimate, bootstrap_mean, not_worse_than_best


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything measured.

    Attributes:
        collection: what was searched; its queries are dev and test.
        candidates: the model's levels, poolings and spaces on dev.
        best: place of the one chosen on dev.
        test: measures on the test queries by who searched: `model`, `bm25`, `encoder`, `embed`, `random_init`.
        dev: nDCG@10 on dev of those that have no levels.
        twin: the candidates of the random-init twin; empty if switched off.
        shuffled: mean nDCG@10 of the model with each shuffle of the judgements.
        searchers: the index of the `model` and, if there is one, of the `encoder`.
        corpus: near-duplicates and clusters.
        notes: what a reader must know.
    """

    collection: Collection
    candidates: Sequence[Candidate]
    best: int
    test: Mapping[str, Scores]
    dev: Mapping[str, float]
    twin: Sequence[Candidate]
    shuffled: Float[np.ndarray, " shuffle"]
    searchers: Mapping[str, Searcher]
    corpus: CorpusFindings
    notes: Sequence[str] = ()

    @property
    def chosen(self) -> Candidate:
        """The best candidate."""
        return self.candidates[self.best]

    @cached_property
    def index_recall(self) -> float | None:
        """recall@10 of the model's index on the test queries; None where its search is exact."""
        own = self.searchers["model"]
        if not own.index.is_approximate:
            return None
        return own.index.recall(own.encode(self.collection.only("test").queries))

    def equals(self, draws: int) -> list[int]:
        """Candidates not shown to be worse than the best on dev."""
        scores = np.stack([candidate.dev for candidate in self.candidates])
        return not_worse_than_best(scores, np.arange(scores.shape[1]), draws)

    def lead(self, rival: str, draws: int) -> Estimate:
        """nDCG@10 of the model minus that of another searcher, paired by query."""
        difference = self.test["model"][MAIN] - self.test[rival][MAIN]
        return bootstrap_mean(difference, np.arange(len(difference)), draws)


def shuffled_scores(
    ranking: Ranking, collection: Collection, shuffles: int, seed: int
) -> Float[np.ndarray, " shuffle"]:
    """Mean nDCG@10 when every query is judged by what another one asked for: the null of knowing nothing of the query.

    It is above 0 where some documents are found for, or relevant to, many queries.
    """
    ids, random = collection.queries.ids, np.random.default_rng(seed)
    means = []
    for _ in range(shuffles):
        order = random.permutation(len(ids))
        judged = {name: collection.judgements[ids[other]] for name, other in zip(ids, order, strict=True)}
        means.append(per_query(ranking, replace(collection, judgements=judged), (MAIN,))[MAIN].mean())
    return np.array(means)

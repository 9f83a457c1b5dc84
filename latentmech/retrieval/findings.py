"""What a retrieval study has found: every estimate once, and what was measured to get it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from latentmech.data import Collection
from latentmech.retrieval.candidates import SearchCandidate, best_of
from latentmech.retrieval.clusters import Agreement
from latentmech.retrieval.near_duplicates import Threshold
from latentmech.retrieval.ranking import MAIN, Scores
from latentmech.retrieval.settings import RetrievalSettings
from latentmech.retrieval.spaces import CosineSpace
from latentmech.retrieval.vector_database import Searcher
from latentmech.statistics import (
    Estimate,
    Lead,
    Tally,
    clusters_of,
    confidence_set,
    estimate,
    leads,
    mean_of,
    over_seeds,
    p_value,
)

SEARCHED_BY = {"model": "model", "bm25": "BM25", "encoder": "sentence encoder", "embed": "embedding"}
SEARCHED_BY |= {"random_init": "random-init twin"}
RIVALS = ("bm25", "embed", "random_init")
ALPHA = 0.025  # one-sided, as a 95 % interval is


@dataclass(frozen=True, kw_only=True)
class RetrievalFindings:
    """Everything measured.

    BM25, the embedding and the twin are rivals: each lacks what the model is asked for. The sentence encoder was
    trained for this very task, so it is a yardstick, and no rival.

    Attributes:
        collection: what was searched; its queries are dev and test.
        candidates: the model's levels, poolings and spaces on dev.
        best: place of the one chosen on dev.
        scores: measures on the test queries by who searched, of `SEARCHED_BY`.
        dev: nDCG@10 on dev of those that have no levels.
        twin: the candidates of the random-init twin; empty if switched off.
        shuffled: mean nDCG@10 of the model with each shuffle of the judgements; empty if switched off.
        searchers: the index of the `model` and, if there is one, of the `encoder`.
        index_recall: recall@10 of the model's index on the test queries; None where its search is exact.
        thresholds: what labelled pairs say of near-duplicates, by who made the vectors: `model`, `encoder`, or `words`
            alone; empty if switched off.
        near: the pairs of documents at or above the threshold, the closest first.
        clusters: their agreement with the labels; empty if not every document has one.
        notes: what the encoder left out.
    """

    settings: RetrievalSettings
    collection: Collection
    candidates: Sequence[SearchCandidate]
    best: int
    space: CosineSpace
    scores: Mapping[str, Scores]
    dev: Mapping[str, float]
    twin: Sequence[SearchCandidate]
    shuffled: Float[np.ndarray, " shuffle"]
    searchers: Mapping[str, Searcher]
    index_recall: float | None
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    near: Mapping[str, Sequence[tuple[str, str, float]]] = field(default_factory=dict)
    clusters: Mapping[str, Agreement] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def chosen(self) -> SearchCandidate:
        """The best candidate."""
        return self.candidates[self.best]

    @cached_property
    def on_test(self) -> dict[str, dict[str, Estimate]]:
        """Every measure on the test queries, by who searched."""
        return {
            who: {name: self._estimate(self._tally(values)) for name, values in scores.items()}
            for who, scores in self.scores.items()
        }

    @cached_property
    def gaps(self) -> dict[str, Lead]:
        """How far the model's nDCG@10 is ahead of everyone else's, paired by query, by who that is."""
        tallies = {who: self._tally(scores[MAIN]) for who, scores in self.scores.items()}
        own = tallies.pop("model")
        return {who: self._lead(own, SEARCHED_BY[who], other) for who, other in tallies.items()}

    @property
    def leads(self) -> list[Lead]:
        """Those over `RIVALS`, the strongest first."""
        return sorted((self.gaps[who] for who in RIVALS if who in self.gaps), key=lambda lead: -lead.value)

    @property
    def by_chance(self) -> Estimate:
        """nDCG@10 of the model judged by what other queries asked for."""
        return over_seeds(self.shuffled)

    @cached_property
    def p(self) -> float | None:
        """That judgements of other queries give as much; None if switched off."""
        seen = self.scores["model"][MAIN].mean() - 1e-9  # sums in another order are equal
        return p_value(seen, self.shuffled) if len(self.shuffled) else None

    @property
    def is_by_chance(self) -> bool:
        """Whether it is not shown that the model knows anything of a query."""
        return self.p is not None and self.p > ALPHA

    @cached_property
    def equals(self) -> list[SearchCandidate] | None:
        """Candidates that may be the best, by the measure that chose; None where dev is too small to tell."""
        clusters = clusters_of(self.collection.only("dev").queries.groups)
        tallies = [mean_of(c.dev, clusters, 0, 1) for c in self.candidates]
        places = confidence_set(tallies, self.settings.draws, self.settings.seed)
        return None if places is None else [self.candidates[i] for i in places]

    @cached_property
    def told_apart(self) -> dict[str, dict[str, Estimate]]:
        """F1 and AUROC on the test pairs, by who made the vectors."""
        return {
            who: {"f1": self._estimate(one.f1), "auroc": self._estimate(one.auroc)}
            for who, one in self.thresholds.items()
        }

    @property
    def told_apart_leads(self) -> list[Lead]:
        """How far the model's AUROC is ahead of that of shared words, which need no model."""
        own, words = self.thresholds["model"].auroc, self.thresholds["words"].auroc
        return [self._lead(own, "shared word trigrams", words)]

    @cached_property
    def _clusters(self) -> Int[np.ndarray, " query"]:
        return clusters_of(self.collection.only("test").queries.groups)

    def _tally(self, values: Float[np.ndarray, " query"]) -> Tally:
        return mean_of(values, self._clusters, 0, 1)

    def _estimate(self, tally: Tally) -> Estimate:
        return estimate(tally, self.settings.draws, self.settings.seed)

    def _lead(self, own: Tally, rival: str, other: Tally) -> Lead:
        return leads(own, {rival: other}, self.settings.draws, self.settings.seed)[0]


def at_levels(found: Sequence[SearchCandidate]) -> list[SearchCandidate]:
    """The best pooling and space of every level on dev, from the embedding up."""
    hooks = dict.fromkeys(candidate.level.hook_name for candidate in found)
    parts = [[c for c in found if c.level.hook_name == hook] for hook in hooks]
    return [part[best_of(part)] for part in parts]

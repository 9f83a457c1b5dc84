"""`NeighboursStudy`: what lies next to a word, a word in its context or a text, and what that is worth."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from latentmech.activations import ActivationStore
from latentmech.data import WordPairs, common_words
from latentmech.errors import BadInput
from latentmech.geometry import similarity
from latentmech.geometry.neighbours.account import account_of
from latentmech.geometry.neighbours.findings import CloudShape, Neighbourhood, NeighboursFindings
from latentmech.geometry.neighbours.pools import Pool, context_pool, text_pool, word_pool
from latentmech.geometry.neighbours.settings import NeighboursSettings
from latentmech.geometry.settings import SIMILARITIES
from latentmech.geometry.similarity import CausalMetric, nearest, prepared
from latentmech.geometry.spaces import WordSpace
from latentmech.model import Model, unembedding, within
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class NeighboursStudy(NeighboursSettings):
    """Nearest neighbours at every level, with the anisotropy and the hubness of the cloud that they lie in."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Look for the neighbours, measure the clouds, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> NeighboursFindings:
        """Everything that the report is made of."""
        pools = list(self._pools(model))
        causal = CausalMetric.of(unembedding(model))
        found = [self._look(pool, pool.spaces(model, store, self), causal) for pool in pools]
        twin = model.changed(random_init=True, seed=self.seed)
        return NeighboursFindings(
            settings=self, pools=pools, neighbourhoods=[one for neighbourhoods, _ in found for one in neighbourhoods],
            clouds=[one for _, clouds in found for one in clouds],
            twin=self._twin(pools[0], twin, store) if self.random_init else [],
        )  # fmt: skip

    def _pools(self, model: Model) -> Iterator[Pool]:
        if self.words:
            yield self._large(word_pool(self.words, self.candidates(), self.template))
        if self.contexts or self.texts:
            corpus = within(model, self.data())
            if self.contexts:
                yield self._large(context_pool(self.contexts, corpus))
            if self.texts:
                yield self._large(text_pool(self.texts, corpus))

    def candidates(self) -> tuple[str, ...]:
        """Every word once: a name rather than the same word in small letters, for pairs come before common words."""
        first: dict[str, str] = {}
        for word in (*WordPairs()().words, *common_words()):
            first.setdefault(word.lower(), word)
        return tuple(first.values())[: self.common]

    def _large(self, pool: Pool) -> Pool:
        if (n := min(len(pool.labels), self.sample)) <= self.k + 1:
            seen = f"geometry.k={self.k}: there are only {n} {pool.name}"
            raise BadInput(f"{seen}; lower k, or raise geometry.sample or geometry.data.limit")
        return pool

    def _look(
        self, pool: Pool, spaces: Iterable[WordSpace], causal: CausalMetric
    ) -> tuple[list[Neighbourhood], list[CloudShape]]:
        neighbourhoods, clouds = list[Neighbourhood](), list[CloudShape]()
        for space in spaces:
            vectors = prepared(space.vectors, self.similarity, causal, space.role)
            scores, places = (x.numpy() for x in nearest(vectors, self.similarity, self.k, torch.tensor(pool.queries)))
            first = neighbourhoods[0].places if neighbourhoods else places
            kept = float(np.mean([np.isin(here, there).mean() for here, there in zip(places, first, strict=True)]))
            neighbourhoods.append(Neighbourhood(pool.name, space.name, space.tick, scores, places, kept))
            clouds += [self._cloud(pool, space, kind, causal) for kind in SIMILARITIES]
        return neighbourhoods, clouds

    def _cloud(self, pool: Pool, space: WordSpace, kind: str, causal: CausalMetric | None) -> CloudShape:
        """Anisotropy and hubness of one space as one similarity sees it, beside a Gaussian cloud of the same shape."""
        rows = space.vectors
        if len(rows) > self.sample:
            rows = rows[np.sort(np.random.default_rng(self.seed).choice(len(rows), self.sample, replace=False))]
        vectors = prepared(rows, kind, causal, space.role)
        null = similarity.gaussian_like(vectors, self.seed)
        null = null if kind == "euclidean" else prepared(null, "cosine")
        counts, shaped = (similarity.occurrences(cloud, kind, self.k) for cloud in (vectors, null))
        return CloudShape(
            pool=pool.name, space=space.name, tick=space.tick, kind=kind, n=len(vectors),
            anisotropy=similarity.anisotropy(vectors), hubness=similarity.hubness(counts),
            hubness_null=similarity.hubness(shaped), never=float((counts == 0).mean()),
        )  # fmt: skip

    def _twin(self, pool: Pool, twin: Model, store: ActivationStore) -> list[CloudShape]:
        """The first pool in the same architecture with fresh weights, by the similarity that is shown."""
        causal = CausalMetric.of(unembedding(twin)) if self.similarity == "causal" else None
        return [self._cloud(pool, space, self.similarity, causal) for space in pool.spaces(twin, store, self)]

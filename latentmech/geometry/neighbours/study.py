"""`NeighboursStudy`: what lies next to a word, a word in its context or a text, and what that is worth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, WordPairs, common_words
from latentmech.errors import BadInput
from latentmech.geometry.neighbours.cloud import anisotropy, gaussian_like, occurrences, skewness
from latentmech.geometry.neighbours.findings import Cloud, Findings, Neighbourhood
from latentmech.geometry.neighbours.pools import Pool, check_marked, context_pool, text_pool, word_pool
from latentmech.geometry.neighbours.presentation import present
from latentmech.geometry.similarity import SIMILARITIES, CausalMetric, check_similarity, nearest, prepared
from latentmech.geometry.spaces import Space, check_template
from latentmech.model import POSITIONS, Model, levels_of, unembedding
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class NeighboursStudy:
    """Nearest neighbours at every level, with the anisotropy and the hubness of the cloud that they lie in.

    Attributes:
        words: words whose neighbours are looked for among them and bundled words, each in the template.
        contexts: texts with one word in brackets; its neighbours are looked for among the words of the data.
        texts: texts whose neighbours are looked for among the texts of the data.
        data: the corpus.
        common: how many bundled words, those of the word pairs before the common ones; None takes all.
        template: what the model reads of a word without a context; {} is the word.
        similarity: whose neighbours are shown: `cosine`, `centred_cosine`, `euclidean` or `causal`.
        site: hook point in every block.
        layers: `all`, or block numbers.
        pooling: `mean` or `last` of a text's tokens.
        k: neighbours.
        sample: rows of a cloud, at most, on which anisotropy and hubness are measured.
        random_init: measure the same architecture with fresh weights too.
        seed: of samples, the Gaussian clouds and the twin's weights.
    """

    words: Sequence[str] = ("king", "Paris", "walked", "better")
    contexts: Sequence[str] = (
        "They had a picnic on the [bank] of the river.",
        "She took the money to the [bank] on Monday.",
    )
    texts: Sequence[str] = ("The soup was cold and the waiter was rude.",)
    data: Corpus = field(default_factory=Corpus)
    common: int | None = None
    template: str = "The word is {}"
    similarity: str = "cosine"
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    pooling: str = "mean"
    k: int = 10
    sample: int = 1000
    random_init: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_template("geometry.template", self.template)
        check_similarity("geometry.similarity", self.similarity)
        levels_of(1, self.site, "all")
        for name in ("words", "contexts", "texts"):
            if isinstance(getattr(self, name), str):
                raise BadInput(f"geometry.{name}={getattr(self, name)!r}; expected a list, such as [{name[:-1]}, …]")
        if not (self.words or self.contexts or self.texts):
            raise BadInput("geometry.words, contexts and texts are all empty; name something to find neighbours of")
        check_marked(self.contexts)
        if self.pooling not in POSITIONS:
            raise BadInput(f"geometry.pooling={self.pooling} is unknown; expected one of {', '.join(POSITIONS)}")
        for name, least in (("k", 1), ("sample", 100), ("common", 0)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise BadInput(f"geometry.{name}={getattr(self, name)} is too small; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Look for the neighbours, measure the clouds, and report."""
        return present(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> Findings:
        """Everything that the report is made of."""
        pools = list(self._pools())
        causal = CausalMetric.of(unembedding(model))
        found = [self._look(pool, self._spaces(pool, model, store), causal) for pool in pools]
        twin = replace(model, random_init=True, seed=self.seed)
        return Findings(
            pools=pools,
            neighbourhoods=[one for neighbourhoods, _ in found for one in neighbourhoods],
            clouds=[one for _, clouds in found for one in clouds],
            twin=list(self._twin(pools, twin, store)) if self.random_init else [],
        )

    def _pools(self) -> Iterator[Pool]:
        if self.words:
            yield self._large(word_pool(self.words, self._candidates(), self.template))
        if self.contexts or self.texts:
            corpus = self.data()
            if self.contexts:
                yield self._large(context_pool(self.contexts, corpus))
            if self.texts:
                yield self._large(text_pool(self.texts, corpus))

    def _candidates(self) -> tuple[str, ...]:
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

    def _spaces(self, pool: Pool, model: Model, store: ActivationStore) -> Iterator[Space]:
        return pool.spaces(model, store, self.site, self.layers, self.pooling)

    def _look(
        self, pool: Pool, spaces: Iterable[Space], causal: CausalMetric
    ) -> tuple[list[Neighbourhood], list[Cloud]]:
        neighbourhoods: list[Neighbourhood] = []
        clouds: list[Cloud] = []
        for space in spaces:
            vectors = prepared(space.vectors, self.similarity, causal, space.role)
            scores, places = nearest(vectors, self.similarity, self.k, torch.tensor(pool.queries))
            first = neighbourhoods[0].places if neighbourhoods else places.numpy()
            neighbourhoods.append(
                Neighbourhood(pool.name, space.name, space.tick, scores.numpy(), places.numpy(), first)
            )
            clouds += [self._cloud(pool, space, kind, causal) for kind in SIMILARITIES]
        return neighbourhoods, clouds

    def _cloud(self, pool: Pool, space: Space, kind: str, causal: CausalMetric | None) -> Cloud:
        """Anisotropy and hubness of one space as one similarity sees it, beside a Gaussian cloud of the same shape."""
        vectors = prepared(self._sampled(space.vectors), kind, causal, space.role)
        null = gaussian_like(vectors, self.seed)
        null = null if kind == "euclidean" else prepared(null, "cosine")
        counts, shaped = (occurrences(cloud, kind, self.k) for cloud in (vectors, null))
        return Cloud(
            pool=pool.name,
            space=space.name,
            tick=space.tick,
            kind=kind,
            anisotropy=anisotropy(vectors),
            hubness=skewness(counts),
            hubness_null=skewness(shaped),
            never=float((counts == 0).mean()),
            n=len(vectors),
        )

    def _sampled(self, vectors: torch.Tensor) -> torch.Tensor:
        if len(vectors) <= self.sample:
            return vectors
        rows = np.random.default_rng(self.seed).choice(len(vectors), self.sample, replace=False)
        return vectors[np.sort(rows)]

    def _twin(self, pools: Sequence[Pool], twin: Model, store: ActivationStore) -> Iterator[Cloud]:
        """The first pool in the same architecture with fresh weights, by the similarity that is shown."""
        causal = CausalMetric.of(unembedding(twin)) if self.similarity == "causal" else None
        for space in self._spaces(pools[0], twin, store):
            yield self._cloud(pools[0], space, self.similarity, causal)

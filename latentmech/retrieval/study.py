"""`RetrievalStudy`: which layer finds what answers a query, and how far it is from BM25 and a sentence encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from latentmech.activations import ActivationStore
from latentmech.data import Collection, Library
from latentmech.data.text_pairs import TextPairs
from latentmech.errors import BadInput, ResourceError
from latentmech.model import Model, SentenceEncoder, levels_of
from latentmech.report import Report
from latentmech.retrieval.candidates import Candidate, Encoded, best_of, candidates, encoded, exactly
from latentmech.retrieval.corpus import corpus_findings
from latentmech.retrieval.findings import Findings, shuffled_scores
from latentmech.retrieval.measures import DEPTH, MAIN, per_query
from latentmech.retrieval.okapi import bm25
from latentmech.retrieval.presentation import present
from latentmech.retrieval.ranking import Ranking
from latentmech.retrieval.searcher import Searcher, searcher
from latentmech.retrieval.spaces import SPACES, fit
from latentmech.retrieval.vector_database import VectorDatabase
from latentmech.retrieval.vectors import LevelEncoder, Vectors, by_sentence_encoder

POOLINGS = ("last", "mean", "weighted_mean")


@dataclass(frozen=True, kw_only=True)
class RetrievalStudy:
    """Documents searched with vectors from every level; the way to make them is chosen on dev and read once on test.

    Attributes:
        data: documents, queries, judgements.
        site: hook point in every block.
        layers: `all`, or block numbers; the embedding is always there.
        poolings: of a text's tokens: `last`, `mean`, `weighted_mean`.
        spaces: coordinates in which cosines are taken: `raw`, `centred`, `whitened`, fitted to the documents alone.
        encoder: a sentence encoder beside it; None leaves it out.
        index: where vectors are kept, and how they are searched.
        pairs: labelled pairs that set the threshold for near-duplicates; None leaves those out.
        cluster_by: a label column of the documents that clusters are compared with, if it is there.
        random_init: search with the same architecture with fresh weights too.
        shuffles: how many shuffles of the judgements among the queries.
        draws: bootstrap resamples of queries.
        seed: of the shuffles, the clusters and the twin's weights.
    """

    data: Library = field(default_factory=Library)
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    poolings: Sequence[str] = POOLINGS
    spaces: Sequence[str] = SPACES
    encoder: SentenceEncoder | None = None
    index: VectorDatabase = field(default_factory=VectorDatabase)
    pairs: TextPairs | None = field(default_factory=TextPairs)
    cluster_by: str | None = "topic"
    random_init: bool = True
    shuffles: int = 100
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        levels_of(1, self.site, "all")
        _check_choices("poolings", self.poolings, POOLINGS)
        _check_choices("spaces", self.spaces, SPACES)
        for name, least in (("shuffles", 0), ("draws", 100)):
            if getattr(self, name) < least:
                raise BadInput(f"retrieval.{name}={getattr(self, name)} is too small; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Encode, choose on dev, read test once, and report."""
        return present(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> Findings:
        """Everything that the report is made of."""
        collection = self.data()
        pairs = None if self.pairs is None else self.pairs()
        self._fetch_encoder()
        self.index.connect()  # before hours of work, so that a wrong address is known at once
        both, found = self._candidates(model, store, collection)
        chosen, test = found[best_of(found)], collection.only("test")
        searchers = {"model": self._by_level(model, store, both, chosen, collection)}
        searchers |= {} if self.encoder is None else {"encoder": self._by_encoder(self.encoder, collection)}
        rankings = {who: own.ranking(test) for who, own in searchers.items()}
        embed = [candidate for candidate in found if candidate.level.layer is None]
        rankings |= {"bm25": _bm25(test), "embed": exactly(both, embed[best_of(embed)], collection, "test", DEPTH)}
        twin, by_twin = self._twin(model, store, collection)
        rankings |= by_twin
        return Findings(
            collection=collection,
            candidates=found,
            best=best_of(found),
            test={who: per_query(ranking, test) for who, ranking in rankings.items()},
            dev=_on_dev(searchers.get("encoder"), collection.only("dev")),
            twin=twin,
            shuffled=shuffled_scores(rankings["model"], test, self.shuffles, self.seed),
            searchers=searchers,
            corpus=corpus_findings(searchers, collection.documents, pairs, self.cluster_by, self.draws, self.seed),
            notes=(*collection.notes, *self._cut(collection)),
        )

    def _candidates(
        self, model: Model, store: ActivationStore, collection: Collection
    ) -> tuple[Encoded, list[Candidate]]:
        """Every level, pooling and space, scored on dev."""
        levels = levels_of(model.n_layers, self.site, self.layers)
        both = encoded(model, store, collection, levels, self.poolings)
        return both, list(candidates(both, collection, levels, self.spaces))

    def _fetch_encoder(self) -> None:
        """Before hours of work, so that a missing network is known at once."""
        try:
            _ = self.encoder and self.encoder.checkpoint
        except ResourceError as error:
            raise ResourceError(f"{error}; or go without a sentence encoder: retrieval.encoder=null") from error

    def _by_level(
        self, model: Model, store: ActivationStore, both: Encoded, chosen: Candidate, collection: Collection
    ) -> Searcher:
        documents, _ = both.at(chosen.level, chosen.pooling)
        space = fit(chosen.space, documents)
        encode = LevelEncoder(model=model, store=store, level=chosen.level, pooling=chosen.pooling, space=space)
        vectors = Vectors(collection.documents.ids, space(documents), encode.card)
        return replace(searcher(self.index, collection.documents, vectors, encode), space=space)

    def _by_encoder(self, encoder: SentenceEncoder, collection: Collection) -> Searcher:
        """In an index of its own, whatever name the model's has."""
        encode = partial(by_sentence_encoder, encoder)
        return searcher(replace(self.index, name=None), collection.documents, encode(collection.documents), encode)

    def _twin(
        self, model: Model, store: ActivationStore, collection: Collection
    ) -> tuple[list[Candidate], dict[str, Ranking]]:
        """The same architecture with fresh weights, its candidate chosen on dev likewise."""
        if not self.random_init:
            return [], {}
        both, found = self._candidates(replace(model, random_init=True, seed=self.seed), store, collection)
        return found, {"random_init": exactly(both, found[best_of(found)], collection, "test", DEPTH)}

    def _cut(self, collection: Collection) -> list[str]:
        """What the sentence encoder has not read."""
        if self.encoder is None:
            return []
        n = self.encoder.cut(collection.documents.texts)
        return [f"{self.encoder.name} reads {self.encoder.max_tokens} tokens: {n} documents were cut"] if n else []


def _check_choices(name: str, values: Sequence[str], choices: Sequence[str]) -> None:
    if isinstance(values, str) or not values:
        raise BadInput(f"retrieval.{name}={values}; expected a list with some of {', '.join(choices)}")
    for value in values:
        if value not in choices:
            raise BadInput(
                f"retrieval.{name}={list(values)}: {value} is unknown; expected some of {', '.join(choices)}"
            )


def _bm25(collection: Collection) -> Ranking:
    return bm25(collection.documents.texts, collection.queries.texts, DEPTH)


def _on_dev(encoder: Searcher | None, dev: Collection) -> dict[str, float]:
    """nDCG@10 of those that have no levels."""
    rankings = {"bm25": _bm25(dev)} | ({} if encoder is None else {"encoder": encoder.ranking(dev)})
    return {who: float(per_query(ranking, dev, (MAIN,))[MAIN].mean()) for who, ranking in rankings.items()}

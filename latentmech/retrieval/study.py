"""`RetrievalStudy`: which layer finds what answers a query, and how far it is from BM25 and a sentence encoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

from latentmech.activations import ActivationStore
from latentmech.data import Collection, Examples, LabelledPairs
from latentmech.errors import ResourceError
from latentmech.fields import Control
from latentmech.model import Model, SentenceEncoder, levels_of, within
from latentmech.report import Report
from latentmech.retrieval.account import account_of
from latentmech.retrieval.candidates import Encoded, SearchCandidate, best_of, candidates, encoded, exactly
from latentmech.retrieval.clusters import Agreement, agreement, agreement_of_words
from latentmech.retrieval.findings import RetrievalFindings
from latentmech.retrieval.near_duplicates import Threshold, cosines, near_duplicates, shared_trigrams, threshold_of
from latentmech.retrieval.okapi import bm25
from latentmech.retrieval.ranking import DEPTH, MAIN, Ranking, depth_of, per_query, shuffled_scores
from latentmech.retrieval.settings import RetrievalSettings
from latentmech.retrieval.spaces import fit
from latentmech.retrieval.vector_database import Searcher, VectorDatabase, searcher
from latentmech.retrieval.vectors import LevelEncoder, Vectors, by_sentence_encoder


@dataclass(frozen=True, kw_only=True)
class RetrievalStudy(RetrievalSettings):
    """Searches a collection from every level, beside BM25, a sentence encoder and a twin."""

    encoder: Annotated[SentenceEncoder | None, Control("sentence encoder")] = None
    index: VectorDatabase = field(default_factory=VectorDatabase)

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Encode, choose on dev, read test once, and report."""
        return account_of(self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> RetrievalFindings:
        """Everything that the report is made of."""
        collection = self.data()
        documents, queries = (within(model, part) for part in (collection.documents, collection.queries))
        notes = (*documents.notes, *queries.notes)
        collection = replace(collection, documents=documents, queries=queries)
        pairs = None if self.pairs is None else self.pairs()
        self._fetch_encoder()
        self.index.connect()  # before hours of work, so that a wrong address is known at once
        both, found = self._candidates(model, store, collection)
        chosen, test = found[best_of(found)], collection.only("test")
        space = fit(chosen.space, both.at(chosen.level, chosen.pooling)[0])
        encode = LevelEncoder(model=model, store=store, level=chosen.level, pooling=chosen.pooling, space=space)
        searchers = self._searchers(encode, both, collection)
        rankings = {who: own.ranking(test) for who, own in searchers.items()}
        embed = [candidate for candidate in found if candidate.level.layer is None]
        rankings |= {"bm25": _bm25(test), "embed": exactly(both, embed[best_of(embed)], collection, "test", DEPTH)}
        twin: list[SearchCandidate] = []
        if self.random_init:  # the same architecture with fresh weights, its candidate chosen on dev likewise
            fresh, twin = self._candidates(model.changed(random_init=True, seed=self.seed), store, collection)
            rankings["random_init"] = exactly(fresh, twin[best_of(twin)], collection, "test", DEPTH)
        thresholds = {} if pairs is None else _thresholds(searchers, pairs)
        return RetrievalFindings(
            settings=self,
            collection=collection,
            candidates=found,
            best=best_of(found),
            space=space,
            scores={who: per_query(ranking, test) for who, ranking in rankings.items()},
            dev=_on_dev(searchers.get("encoder"), collection.only("dev")),
            twin=twin,
            shuffled=shuffled_scores(rankings["model"], test, self.shuffles, self.seed),
            searchers=searchers,
            index_recall=searchers["model"].recall(test.queries),
            thresholds=thresholds,
            near={
                who: near_duplicates(own.index, thresholds[who].value) for who, own in searchers.items() if thresholds
            },
            clusters=self._clusters(searchers, collection.documents),
            notes=[*notes, *self._cut(collection)],
        )

    def _candidates(
        self, model: Model, store: ActivationStore, collection: Collection
    ) -> tuple[Encoded, list[SearchCandidate]]:
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

    def _searchers(self, encode: LevelEncoder, both: Encoded, collection: Collection) -> dict[str, Searcher]:
        """By the chosen level; by the sentence encoder in an index of its own, whatever name the model's has."""
        documents, _ = both.at(encode.level, encode.pooling)
        vectors = Vectors(collection.documents.ids, encode.space(documents), encode.card)
        found = {"model": searcher(self.index, collection.documents, vectors, encode)}
        if self.encoder is not None:
            index = replace(self.index, name=None)
            read, ask = (partial(by_sentence_encoder, self.encoder, side=side) for side in ("document", "query"))
            found["encoder"] = searcher(index, collection.documents, read(collection.documents), read, ask)
        return found

    def _clusters(self, searchers: Mapping[str, Searcher], documents: Examples) -> dict[str, Agreement]:
        """Whether the corpus falls into its topics, if every document has one."""
        labels = documents.columns.get(self.cluster_by or "", (None,))
        if None in labels or len(set(labels)) < 2:
            return {}
        found = {who: agreement(own.documents, labels, self.seed) for who, own in searchers.items()}
        return found | {"words": agreement_of_words(documents.texts, labels, self.seed)}

    def _cut(self, collection: Collection) -> list[str]:
        """What the sentence encoder has not read."""
        if self.encoder is None:
            return []
        n = self.encoder.cut(collection.documents.texts, "document")
        return [f"{self.encoder.name} reads {self.encoder.max_tokens} tokens: {n} documents were cut"] if n else []


def _thresholds(searchers: Mapping[str, Searcher], pairs: LabelledPairs) -> dict[str, Threshold]:
    """From which similarity on texts are nearly the same, by vectors and by words alone."""
    similar = {who: cosines(own.encode(pairs.left), own.encode(pairs.right)) for who, own in searchers.items()}
    similar["words"] = shared_trigrams(pairs)
    return {who: threshold_of(own, pairs) for who, own in similar.items()}


def _bm25(collection: Collection) -> Ranking:
    return bm25(collection.documents.texts, collection.queries.texts, depth_of(collection))


def _on_dev(encoder: Searcher | None, dev: Collection) -> dict[str, float]:
    """nDCG@10 of those that have no levels."""
    rankings = {"bm25": _bm25(dev)} | ({} if encoder is None else {"encoder": encoder.ranking(dev)})
    return {who: float(per_query(ranking, dev, (MAIN,))[MAIN].mean()) for who, ranking in rankings.items()}

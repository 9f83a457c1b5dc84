"""What an index says of its corpus: which texts are nearly the same, and whether it falls into its topics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentmech.data import Examples
from latentmech.data.text_pairs import Labelled
from latentmech.retrieval.clusters import Agreement, agreement, agreement_of_words
from latentmech.retrieval.near_duplicates import Threshold, cosines, near_duplicates, shared_trigrams, threshold_of
from latentmech.retrieval.searcher import Searcher

Found = tuple[str, str, float]


@dataclass(frozen=True)
class CorpusFindings:
    """Near-duplicates and clusters, by who made the vectors: `model`, `encoder`, or words alone.

    Attributes:
        thresholds: what labelled pairs say; empty if switched off.
        near: the pairs of documents above the threshold.
        clusters: agreement with the labels; empty if the documents have none.
        n_labels: how many labels there are.
    """

    thresholds: Mapping[str, Threshold]
    near: Mapping[str, Sequence[Found]]
    clusters: Mapping[str, Agreement]
    n_labels: int = 0


def corpus_findings(
    searchers: Mapping[str, Searcher],
    documents: Examples,
    pairs: Labelled | None,
    column: str | None,
    draws: int,
    seed: int,
) -> CorpusFindings:
    """Both, as far as there are pairs and labels."""
    thresholds: dict[str, Threshold] = {}
    near: dict[str, Sequence[Found]] = {}
    if pairs is not None:
        for who, own in searchers.items():
            thresholds[who] = threshold_of(cosines(own.encode(pairs.left), own.encode(pairs.right)), pairs, draws)
            near[who] = near_duplicates(own.index, thresholds[who].value)
        thresholds["words"] = threshold_of(shared_trigrams(pairs), pairs, draws)
    labels = documents.columns.get(column or "", (None,))
    if None in labels:
        return CorpusFindings(thresholds, near, {})
    clusters = {who: agreement(own.documents, labels, seed) for who, own in searchers.items()}
    clusters["words"] = agreement_of_words(documents.texts, labels, seed)
    return CorpusFindings(thresholds, near, clusters, len(set(labels)))

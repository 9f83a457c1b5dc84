"""Near-duplicates: texts whose vectors are closer than a threshold, which labelled pairs set.

The threshold is where F1 is highest on the dev half of the pairs; F1 and AUROC are read on the other half. Beside it
stands what needs no vectors: the Jaccard index of word trigrams, with a threshold chosen alike. A threshold belongs to
one way of making vectors and to the kind of texts it was chosen on. Pairs that share a text count as one group.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from latentmech.data import LabelledPairs, shingles
from latentmech.retrieval.vector_index import VectorIndex
from latentmech.retrieval.vectors import Vectors
from latentmech.statistics import Tally, auroc_of, clusters_of, f1, f1_of

NEIGHBOURS = 10  # of each text that are looked at first; more where all of them are near-duplicates


@dataclass(frozen=True)
class Threshold:
    """Pairs at or above `value` are near-duplicates; what that is worth on test pairs."""

    value: float
    dev_f1: float
    f1: Tally
    auroc: Tally


def threshold_of(similar: Float[np.ndarray, " pair"], pairs: LabelledPairs) -> Threshold:
    """Choose on dev, read test once."""
    dev, test = pairs.dev, ~pairs.dev
    value = best_threshold(similar[dev], pairs.duplicate[dev])
    clusters, duplicate = clusters_of(pairs.groups[test]), pairs.duplicate[test]
    return Threshold(
        value,
        dev_f1=f1(similar[dev] >= value, pairs.duplicate[dev]),
        f1=f1_of(similar[test] >= value, duplicate, clusters),
        auroc=auroc_of(similar[test], duplicate, clusters),
    )


def best_threshold(similar: Float[np.ndarray, " pair"], duplicate: Bool[np.ndarray, " pair"]) -> float:
    """Half-way between two neighbouring similarities, where F1 is highest; of equals in the widest gap."""
    levels = np.unique(similar)
    between = (levels[1:] + levels[:-1]) / 2
    scores = [(f1(similar >= at, duplicate), gap) for at, gap in zip(between, np.diff(levels), strict=True)]
    return float(between[max(range(len(between)), key=lambda i: scores[i])]) if len(between) else float(levels[0])


def cosines(left: Vectors, right: Vectors) -> Float[np.ndarray, " pair"]:
    """Of the two sides of each pair."""
    return torch.nn.functional.cosine_similarity(left.rows, right.rows, dim=-1).double().numpy()


def shared_trigrams(pairs: LabelledPairs) -> Float[np.ndarray, " pair"]:
    """The Jaccard index of the two sides' word trigrams."""
    both = [(shingles(a), shingles(b)) for a, b in zip(pairs.left.texts, pairs.right.texts, strict=True)]
    return np.array([len(a & b) / max(len(a | b), 1) for a, b in both])


def near_duplicates(index: VectorIndex, threshold: float) -> list[tuple[str, str, float]]:
    """Pairs of names in an index whose cosine is at or above the threshold, the closest first."""
    left, k, found = index.vectors(), NEIGHBOURS + 1, dict[tuple[str, str], float]()
    while left.ids:
        names, scores = index.search(left, k)
        found |= {
            (min(name, other), max(name, other)): cosine
            for name, row, cosine_row in zip(left.ids, names, scores, strict=True)
            for other, cosine in zip(row, cosine_row, strict=True)
            if other != name and cosine >= threshold
        }
        more = [i for i, row in enumerate(scores) if k < len(index) and row[-1] >= threshold]
        left, k = replace(left, ids=tuple(left.ids[i] for i in more), rows=left.rows[more]), 2 * k
    return sorted(((a, b, cosine) for (a, b), cosine in found.items()), key=lambda pair: -pair[2])

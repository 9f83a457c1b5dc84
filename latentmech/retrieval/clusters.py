"""Clusters of a corpus, and whether they are the labels that people gave it.

k-means on unit vectors, with as many clusters as there are labels. Agreement with the labels is the adjusted Rand index
(Hubert & Arabie 1985) and adjusted mutual information (Vinh et al. 2010): 0 is what chance gives, 1 is the same
partition. Beside it stand the labels shuffled and k-means on tf-idf word counts. Topics may overlap, and then no
clustering can reach 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from latentmech.retrieval.vectors import Vectors

SEEDS = 5


@dataclass(frozen=True)
class Agreement:
    """Agreement of clusters and labels, one number per seed of k-means.

    Attributes:
        ari: adjusted Rand index.
        ami: adjusted mutual information.
        shuffled_ari: with the labels shuffled.
    """

    ari: Float[np.ndarray, " seed"]
    ami: Float[np.ndarray, " seed"]
    shuffled_ari: Float[np.ndarray, " seed"]


def agreement(vectors: Vectors, labels: Sequence[str], seed: int) -> Agreement:
    """Of vectors, in the order of the labels."""
    return _agreement(torch.nn.functional.normalize(vectors.rows, dim=-1).numpy(), labels, seed)


def agreement_of_words(texts: Sequence[str], labels: Sequence[str], seed: int) -> Agreement:
    """Of tf-idf word counts, which are unit vectors too."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return _agreement(TfidfVectorizer(stop_words="english").fit_transform(texts).toarray(), labels, seed)


def _agreement(rows: Float[np.ndarray, "text d"], labels: Sequence[str], seed: int) -> Agreement:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    truth = np.unique(np.array(labels), return_inverse=True)[1]
    fits = [KMeans(int(truth.max()) + 1, n_init=3, random_state=seed + i).fit_predict(rows) for i in range(SEEDS)]

    def scored(score: Callable[..., float], known: np.ndarray) -> np.ndarray:
        return np.array([score(known, fit) for fit in fits])

    shuffled = np.random.default_rng(seed).permutation(truth)
    return Agreement(
        scored(adjusted_rand_score, truth),
        scored(adjusted_mutual_info_score, truth),
        scored(adjusted_rand_score, shuffled),
    )

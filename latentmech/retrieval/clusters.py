"""Clusters of a corpus, and whether they are the labels that people gave it.

k-means on unit vectors, with as many clusters as there are labels. Agreement with the labels is the adjusted Rand index
(Hubert & Arabie 1985) and adjusted mutual information (Vinh et al. 2010): 0 is what chance gives, 1 is the same
partition. Beside it stand the labels shuffled and k-means on tf-idf word counts. Topics may overlap, and then no
clustering can reach 1.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from latentmech.data import terms_of
from latentmech.geometry import kmeans, partition_agreement
from latentmech.retrieval.vectors import Vectors
from latentmech.statistics import Estimate, clusters_of, over_seeds

SEEDS = 5
Agreement = dict[str, Estimate]
"""`ari`, `ami` and, with the labels shuffled, `shuffled_ari`: mean and range over seeds of k-means."""


def agreement(vectors: Vectors, labels: Sequence[str], seed: int) -> Agreement:
    """Of vectors, in the order of the labels."""
    return _agreement(torch.nn.functional.normalize(vectors.rows, dim=-1).numpy(), labels, seed)


def agreement_of_words(texts: Sequence[str], labels: Sequence[str], seed: int) -> Agreement:
    """Of tf-idf word counts, which are unit vectors too."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return _agreement(
        TfidfVectorizer(stop_words="english", tokenizer=terms_of, token_pattern=None).fit_transform(texts).toarray(),
        labels,
        seed,
    )


def _agreement(rows: Float[np.ndarray, "text d"], labels: Sequence[str], seed: int) -> Agreement:
    truth = clusters_of(labels)
    fits = [kmeans(rows, int(truth.max()) + 1, seed + i) for i in range(SEEDS)]
    shuffled = np.random.default_rng(seed).permutation(truth)
    own, null = ([partition_agreement(known, fit) for fit in fits] for known in (truth, shuffled))
    found = {name: over_seeds(one[name] for one in own) for name in own[0]}
    return found | {"shuffled_ari": over_seeds(one["ari"] for one in null)}

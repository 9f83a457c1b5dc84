"""Do neighbours share a label? What an eye sees as colour in a map, as a number with its null.

The mean share of each point's k nearest that carry its own label. With the labels shuffled it is about Σ p² (p the
class shares), and never quite: a few large classes look like structure. So the shuffled labels are measured too.
It does not say that labels are clusters: a smooth gradient gives high agreement as well.
"""

import numpy as np
from jaxtyping import Int

from latentmech.geometry.map.quality import Ranks

Labels = Int[np.ndarray, " point"]


def agreement(rank: Ranks, labels: Labels, k: int) -> float:
    """Mean share of the k nearest neighbours with the point's own label."""
    return float((labels[_nearest(rank, k)] == labels[:, None]).mean())


def shuffled_agreement(rank: Ranks, labels: Labels, k: int, draws: int, seed: int) -> np.ndarray:
    """The same for `draws` shuffles of the labels: the null distribution."""
    rng, nearest = np.random.default_rng(seed), _nearest(rank, k)
    shuffles = [rng.permutation(labels) for _ in range(draws)]
    return np.array([(labels[nearest] == labels[:, None]).mean() for labels in shuffles])


def _nearest(rank: Ranks, k: int) -> Int[np.ndarray, "point k"]:
    return np.nonzero((rank > 0) & (rank <= k))[1].reshape(len(rank), k)

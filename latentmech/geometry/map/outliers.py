"""Points far from all others: mean distance to the k nearest neighbours (Angiulli & Pizzuti 2002).

In units of the median point's, so that levels can be compared. High-dimensional noise has outliers too: the most
distant point of the same rows with every coordinate shuffled by itself says how far is far. What is listed may be a
rare word, an odd tokenisation, or a wrong label; the measure does not tell which.
"""

import numpy as np
from jaxtyping import Float

Rows = Float[np.ndarray, "point d_model"]


def remoteness(rows: Rows, k: int) -> Float[np.ndarray, " point"]:
    """Mean distance to the k nearest others, as a multiple of the median over the points."""
    from sklearn.neighbors import NearestNeighbors

    distance, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors()
    mean = distance.mean(1)
    return mean / max(float(np.median(mean)), np.finfo(float).tiny)

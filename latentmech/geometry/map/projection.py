"""Three ways to flatten a space. Each shows something true and hides the rest.

`pca`   the directions of largest variance (Pearson 1901). Linear: distances can only shrink. Shows the outline.
`tsne`  keeps near neighbours near (van der Maaten & Hinton 2008), by openTSNE (Poličar et al. 2024). Sizes of
        groups and distances between them mean nothing.
`umap`  keeps the graph of near neighbours (McInnes et al. 2018), by umap-learn. The same caution; it draws groups
        tighter than they are.

Both of the latter start from a linear layout (PCA, spectral), without which the global arrangement is an accident of
the seed (Kobak & Linderman 2021, "Initialization is critical for preserving global data structure").
None of them shows that a group is a group: random data too falls into clumps. Hence the nulls beside each map.
"""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

GATHERED = 30  # neighbours, as UMAP's own guide to clustering has it

Rows = Float[np.ndarray, "point d_model"]
Coordinates = Float[np.ndarray, "point axis"]
Projection = Callable[[Rows, int, int], Coordinates]  # rows, number of axes, seed


def pca(rows: Rows, n_axes: int, seed: int) -> Coordinates:
    """Scores on the first principal components; the seed changes nothing."""
    from sklearn.decomposition import PCA

    return PCA(n_axes, svd_solver="full", random_state=seed).fit_transform(rows)


def tsne(rows: Rows, n_axes: int, seed: int, *, perplexity: float = 30.0) -> Coordinates:
    """t-SNE with exact neighbours; Barnes-Hut beyond two axes, where interpolation is not defined."""
    from openTSNE import TSNE

    method = "auto" if n_axes <= 2 else "bh"
    fitted = TSNE(
        n_components=n_axes,
        perplexity=perplexity,
        initialization="pca",
        neighbors="exact",
        negative_gradient_method=method,
        n_jobs=1,
        random_state=seed,
    ).fit(rows)
    return np.asarray(fitted, dtype=np.float64)


def gathered(rows: Rows, n_axes: int, seed: int) -> Coordinates:
    """UMAP as a step before clustering: more neighbours, and points as near as they will go."""
    return umap(rows, n_axes, seed, n_neighbors=GATHERED, min_dist=0.0)


def umap(rows: Rows, n_axes: int, seed: int, *, n_neighbors: int = 15, min_dist: float = 0.1) -> Coordinates:
    """UMAP on one thread, so that a seed gives one map."""
    from umap import UMAP

    model = UMAP(n_components=n_axes, n_neighbors=n_neighbors, min_dist=min_dist, random_state=seed, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a graph in several parts is laid out part by part, and umap says so each time
        return np.asarray(model.fit_transform(rows), dtype=np.float64)

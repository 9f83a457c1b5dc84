"""The coordinates that distances are measured in, and the same coordinates with nothing left but their margins."""

import numpy as np
from jaxtyping import Float

from latentmech.tensors import varies

Rows = Float[np.ndarray, "row d_model"]


def standardised(rows: Rows) -> Rows:
    """Every coordinate with mean 0 and variance 1 (0 where it varies by no more than single precision resolves).

    A few coordinates of a residual stream are a hundred times larger than the rest, and a Euclidean distance then
    reads them alone (Timkey & van Schijndel 2021, "All bark and no bite: rogue dimensions in transformer language
    models obscure representational quality"). Whitening would go further, and blow up the noise.
    """
    mean, scale = rows.mean(0), rows.std(0)
    return np.divide(rows - mean, scale, out=np.zeros_like(rows), where=varies(scale, mean))


def coordinates_shuffled(rows: Rows, seed: int) -> Rows:
    """Each coordinate permuted over the rows by itself: the null that keeps every margin and no relation.

    What a measure says of these rows it owes to single coordinates (their scales, tails, ties), not to structure.
    """
    return np.random.default_rng(seed).permuted(rows, axis=0)

"""The threshold of a conditional edit, learned on dev."""

import numpy as np
from jaxtyping import Bool, Float


def threshold(values: Float[np.ndarray, " text"], positive: Bool[np.ndarray, " text"]) -> float:
    """The value above which most positive and fewest negative texts lie (Youden's index), midway between neighbours.

    Args:
        values: cosine or projection of each dev text on the gate.
    """
    ordered = np.unique(values)
    cuts = np.concatenate([[ordered[0] - 1e-6], (ordered[1:] + ordered[:-1]) / 2])
    gains = [(values[positive] > cut).mean() - (values[~positive] > cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(gains))])

"""Labels that mean nothing: what a probe scores on them it owes to itself, not to the model."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

Known = Int[np.ndarray, " known"]


def control_task(train: Known, forms: Sequence[str], n_classes: int, seed: int) -> Int[np.ndarray, " form"]:
    """The control task of Hewitt & Liang (2019, "Designing and interpreting probes with control tasks").

    Every word type gets one class at random, in the proportions of the task, wherever the word stands. A probe
    can only learn it by heart; the task's accuracy minus this one's is its selectivity.

    Args:
        train: the task's own training labels, for their proportions.
        forms: the words to label; the same word gets the same label for the same seed, in any list.
    """
    shares = np.bincount(train, minlength=n_classes) / len(train)
    kinds, place = np.unique(np.array(forms, dtype=str), return_inverse=True)
    return np.random.default_rng(seed).choice(n_classes, size=len(kinds), p=shares)[place]


def shuffled(labels: Known, seed: int) -> Known:
    """The labels in random order: what is left of a score when words and labels no longer belong together."""
    return np.random.default_rng(seed).permutation(labels)

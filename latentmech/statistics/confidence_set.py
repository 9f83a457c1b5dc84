"""Levels not shown to be worse than the best: a model confidence set.

The best of many levels is the best partly by luck, so "worse than the best" cannot be asked of each level alone: of 30
equal ones that would leave out a truly best one in half of all cases. The model confidence set (Hansen, Lunde & Nason
2011, "The model confidence set", T_max) asks of all that are left whether any of them falls behind their mean by more
than the largest deviation that resampled groups give; if so the one furthest behind leaves, and the rest is asked
again. It holds the truly best level in at least 95 % of samples.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from latentmech.statistics.tally import Tally

FEWEST = 10  # groups below which it cannot tell
ALPHA = 0.05


def confidence_set(tallies: Sequence[Tally], draws: int = 1000, seed: int = 0) -> list[int] | None:
    """Indices of the candidates that may be the best; None where there are too few groups to tell.

    Args:
        tallies: each candidate's score on the same rows, by the metric that chose among them.
        draws: bootstrap resamples of groups.
        seed: of these.
    """
    if tallies[0].groups < FEWEST:
        return None
    values = np.array([tally.value for tally in tallies])
    drawn = np.stack([tally.draws(draws, seed) for tally in tallies], axis=1)
    drawn = drawn[np.isfinite(drawn).all(1)]
    groups = tallies[0].groups
    errors = (drawn - drawn.mean(0)) * np.sqrt(groups / (groups - 1))
    left = list(range(len(tallies)))
    while len(left) > 1:
        behind, largest = _deviations(values[left], errors[:, left])
        if behind.max() <= np.quantile(largest, 1 - ALPHA):
            break
        left.pop(int(behind.argmax()))
    return left


def _deviations(
    values: Float[np.ndarray, " left"], errors: Float[np.ndarray, "draw left"]
) -> tuple[Float[np.ndarray, " left"], Float[np.ndarray, " draw"]]:
    """How far each is behind the mean of all in standard errors, and the furthest that chance puts any."""
    chance = errors.mean(1, keepdims=True) - errors
    spread = chance.std(0)
    spread = np.where(spread > 1e-12, spread, np.inf)
    behind = values.mean() - values
    sure = np.where(np.isinf(spread) & (behind > 1e-12), np.inf, behind / spread)  # behind in every draw alike
    return sure, (chance / spread).max(1)

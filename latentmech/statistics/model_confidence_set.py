"""Levels not shown to be worse than the best: a model confidence set.

The best of many levels is the best partly by luck, so "worse than the best" cannot be asked of each level alone: of
30 equal ones that would leave out a truly best one in half of all cases. The model confidence set (Hansen, Lunde &
Nason 2011, "The model confidence set", their range statistic) asks of all pairs at once: a level leaves if some other
is ahead of it by more standard errors than resampled groups put between any two,

    max_j (s_j - s_i) / se_ij  >  95 % quantile of  max_ij |e_i - e_j| / se_ij          e: deviations of a draw

and the rest is asked again (Romano & Wolf 2005, "Stepwise multiple testing as formalized data snooping"). Over few
groups the quantile is taken from Student's t in place of the normal. It holds a truly best level in 95 % of samples.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, stdtrit

from latentmech.statistics.tally import Tally

FEWEST = 10  # groups below which it cannot tell
ALPHA = 0.05
NOTHING = 1e-9  # standard errors below this are rounding


def confidence_set(tallies: Sequence[Tally], draws: int = 1000, seed: int = 0) -> list[int] | None:
    """Indices of the candidates that may be the best; None where there are too few groups to tell.

    Args:
        tallies: each candidate's score on the same rows, by the metric that chose among them.
    """
    groups = tallies[0].groups
    if groups < FEWEST:
        return None
    values = np.array([tally.value for tally in tallies])
    drawn = np.stack([tally.draws(draws, seed) for tally in tallies], axis=1)
    errors = drawn[np.isfinite(drawn).all(1)]
    errors = (errors - errors.mean(0)) * np.sqrt(groups / (groups - 1))
    left = np.arange(len(tallies))
    while len(left) > 1:
        behind, largest = _apart(values[left], errors[:, left])
        reach = abs(stdtrit(groups - 1, ndtr(-np.quantile(largest, 1 - ALPHA))))
        if not (behind > reach).any():
            break
        left = left[behind <= reach]
    return left.tolist()


def _apart(
    values: Float[np.ndarray, " left"], errors: Float[np.ndarray, "draw left"]
) -> tuple[Float[np.ndarray, " left"], Float[np.ndarray, " draw"]]:
    """How far each is behind any other in standard errors, and the furthest that chance puts two of them apart."""
    spread = np.cov(errors, rowvar=False)
    spread = np.sqrt(np.maximum(spread.diagonal()[:, None] + spread.diagonal() - 2 * spread, 0))
    gaps, behind, largest = values - values[:, None], np.zeros(len(values)), np.zeros(len(errors))
    for i, row in enumerate(spread):
        known = row > NOTHING
        ahead = np.divide(gaps[i], row, out=np.where(gaps[i] > NOTHING, np.inf, 0.0), where=known)
        behind[i] = ahead.max()  # infinite where another is ahead in every draw alike
        if known.any():
            largest = np.maximum(largest, (np.abs(errors - errors[:, [i]])[:, known] / row[known]).max(1))
    return behind, largest

"""95 % intervals that cover 95 %, over few groups and over many.

Fewer than `FEW` groups: each is left out in turn, and the spread of the scores goes into Student's t with one degree of
freedom less than there are groups,

    se^2 = (G - 1) / G  sum_g (s_-g - mean s_-)^2        s +- t(G - 1) se

(Bell & McCaffrey 2002, "Bias reduction in standard errors for linear regression with multi-stage samples"; Cameron,
Gelbach & Miller 2008, "Bootstrap-based improvements for inference with clustered errors"); scores between 0 and 1 on
the scale of their log-odds (Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data"). A percentile
bootstrap over four groups covers 79 % where it says 95. From `FEW` groups on: that bootstrap.

A perfect score has no spread to judge by. If the share of perfect groups were below 0.05^(1/G), G perfect ones in a row
would happen in fewer than 5 % of samples; a group that is not perfect counts as the worst there can be.

`scripts/simulate` measures how often each covers the truth; `experiments/inference` has the table.
"""

from functools import partial

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

from latentmech.statistics.estimates import BOUND, INTERVAL, Estimate
from latentmech.statistics.tally import Tally

FEW = 100  # groups below which a percentile bootstrap is too narrow: over 60, AUROC is covered in 92 % of samples
ALPHA = 0.05


def estimate(tally: Tally, draws: int = 1000, seed: int = 0) -> Estimate:
    """The score with its interval, none over fewer than two groups; many groups are resampled `draws` times."""
    value = tally.value
    one = partial(Estimate, value, n=tally.n, groups=tally.groups)
    if tally.groups < 2 or not np.isfinite(value):
        return one()
    if value in (tally.worst, tally.top):
        low, high = _of_perfect(value, tally)
        return one(ci_low=low, ci_high=high, kind=BOUND)
    if tally.groups >= FEW:
        low, high = np.nanpercentile(tally.draws(draws, seed), [2.5, 97.5])
        return one(ci_low=float(low), ci_high=float(high), kind=INTERVAL)
    low, high = _by_leaving_out(value, tally)
    return one(ci_low=low, ci_high=high, kind=INTERVAL if np.isfinite(low) else "")


def difference(own: Tally, other: Tally, draws: int = 1000, seed: int = 0) -> Estimate:
    """How much better one answerer is than another on the same groups, paired.

    Where the difference is the same without each of the groups there is no spread to judge by; then the bound is that
    of a perfect score.
    """
    gap = _gap(own, other)
    if gap.groups >= 2 and np.isfinite(gap.value) and gap.value != 0 and _spread(gap) <= 1e-12:
        if not np.isfinite([gap.worst, gap.top]).all():  # nothing bounds what has no bounds
            return Estimate(gap.value, n=gap.n, groups=gap.groups)
        return Estimate(gap.value, *_of_perfect(gap.value, gap), gap.n, gap.groups, BOUND)
    return estimate(gap, draws, seed)


def low_p(own: Tally, other: Tally) -> float:
    """One-sided p-value that `own` is no better than `other`, by leaving out groups; 1 where it cannot be told."""
    gap = _gap(own, other)
    if gap.groups < 2 or not gap.value > 0:
        return 1.0
    if (spread := _spread(gap)) <= 1e-12:
        return float(0.5 ** (gap.groups - 1))
    return float(stdtr(gap.groups - 1, -gap.value / spread)) if np.isfinite(spread) else 1.0


def _gap(own: Tally, other: Tally) -> Tally:
    worst, top = own.worst - other.top, own.top - other.worst
    return Tally(lambda w: own.by(w) - other.by(w), own.n, own.groups, worst, top)


def _spread(tally: Tally) -> float:
    """Standard error by leaving out each group; NaN where the score is not defined without one of them."""
    without = tally.without_each()
    return float(np.sqrt((tally.groups - 1) / tally.groups * ((without - without.mean()) ** 2).sum()))


def _by_leaving_out(value: float, tally: Tally) -> tuple[float, float]:
    reach = float(stdtrit(tally.groups - 1, 1 - ALPHA / 2))
    if (tally.worst, tally.top) != (0, 1):  # no share, as accuracy, F1 and AUROC are
        spread = _spread(tally)
        return float(max(value - reach * spread, tally.worst)), float(min(value + reach * spread, tally.top))
    # Without a group the score may be perfect: then half a row is wrong, or half of what graded rows add up to.
    least = min(0.5 / max(tally.n, 1), value / 2, (1 - value) / 2)
    log_odds = Tally(lambda w: logit(np.clip(tally.by(w), least, 1 - least)), tally.n, tally.groups, -np.inf, np.inf)
    low, high = expit(log_odds.value + np.array([-1, 1]) * reach * _spread(log_odds))
    return float(low), float(high)


def _of_perfect(value: float, tally: Tally) -> tuple[float, float]:
    """Exact one-sided bound of a score that all groups share."""
    share = ALPHA ** (1 / tally.groups)
    far = tally.worst if value > (tally.worst + tally.top) / 2 else tally.top
    bound = share * value + (1 - share) * far
    return (bound, value) if far < value else (value, bound)

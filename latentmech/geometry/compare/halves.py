"""Intervals from half-samples: measure halves of the documents, and see how much they differ from the whole.

    error² = mean over halves h of (m_h - m)²,   interval m ± 1.96 error

The delete-d jackknife with d = n / 2, whose factor is 1 (Shao & Wu 1989). A bootstrap would put copies of a row beside
it, which every measure here would take for two words that are alike. Of few documents a half is so small that the error
comes out too large rather than too small: planted CKA was covered in 93 to 98 % of samples of 2 to 60 documents.

It is right for a measure that does not depend on how many rows there are, as debiased CKA does not. Others do: of fewer
rows Procrustes says more, for there is more room to turn them, and the overlap of subspaces less, for each is less well
known. Then halves differ from the whole for their size and not by chance. So where the mean of the halves is further
from the whole than one half is from another (the bias exceeds the spread), no interval is given.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from latentmech.statistics import INTERVAL, Estimate

ROUNDING = 1e-9


def half_samples(clusters: Int[np.ndarray, " row"], halves: int, seed: int) -> list[Int[Tensor, " kept"]]:
    """Rows of random halves of the clusters; none of a single cluster."""
    rng, n = np.random.default_rng(seed), int(clusters.max()) + 1
    if n < 2:
        return []
    kept = [np.isin(clusters, rng.permutation(n)[: n // 2]).nonzero()[0] for _ in range(halves)]
    return [torch.from_numpy(rows) for rows in kept]


def around(value: float, parts: Sequence[float], n: int, groups: int) -> Estimate:
    """The value with an interval from the same measure of halves; without one if a half has none. 1 is the most."""
    if not parts or not np.isfinite(parts).all():
        return Estimate(value, n=n, groups=groups)
    error = 1.96 * float(np.sqrt(np.mean((np.array(parts) - value) ** 2)))
    return Estimate(value, value - error, min(value + error, 1.0), n, groups, INTERVAL)


def around_if_unbiased(value: float, parts: Sequence[float], n: int, groups: int) -> Estimate:
    """The same, but without an interval where halves differ from the whole for their size."""
    biased = bool(parts) and abs(np.mean(parts) - value) > np.std(parts) + ROUNDING
    return around(value, () if biased else parts, n, groups)

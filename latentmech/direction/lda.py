"""Linear discriminant analysis: the direction that separates two Gaussian classes of equal covariance best.

    d = S^-1 (m_1 - m_0)        S = (1 - a) S_within + a (tr S_within / d_model) I

(Fisher 1936), with the covariance shrunk towards a multiple of the identity by the amount that is best for normal
data, which follows from its traces alone (Chen et al. 2010, "Shrinkage algorithms for MMSE covariance estimation",
equation 23).

What it does not show: a direction to move along. It reads well because it avoids what varies; the class means
differ along `difference_of_means`.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from latentmech.direction.sample import Labelled

CITES = ("fisher1936", "chen2010")


def lda(sample: Labelled) -> Float[Tensor, " d_model"]:
    """The vector."""
    moments = sample.moments
    difference = moments.means[1] - moments.means[0]
    covariance = shrunk(moments.within / max(moments.n - 2, 1), moments.n)
    return torch.cholesky_solve(difference.unsqueeze(1), torch.linalg.cholesky(covariance)).squeeze(1)


def shrunk(covariance: Float64[Tensor, "d_model d_model"], n: float) -> Float64[Tensor, "d_model d_model"]:
    """The oracle-approximating shrinkage of a covariance that was estimated from `n` rows."""
    size = len(covariance)
    trace, square = covariance.trace(), covariance.square().sum()
    wanted = (1 - 2 / size) * square + trace**2
    share = (wanted / ((n + 1 - 2 / size) * (square - trace**2 / size)).clamp(min=1e-300)).clamp(1e-6, 1)
    return (1 - share) * covariance + share * trace / size * torch.eye(size, dtype=covariance.dtype)

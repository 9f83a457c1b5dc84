"""Linear CKA without its bias: whether two sets of states arrange the same words alike.

    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K = X X^T, L = Y Y^T

(Kornblith et al. 2019, "Similarity of neural network representations revisited", eq. 2), with the unbiased HSIC of Song
et al. (2012, eq. 5) as Nguyen et al. (2021, "Do wide and deep networks learn the same things?") use it:

    HSIC(K, L) = <K', L'> / (n (n - 3)),
    K'_ij = K_ij - sum_j K_ij / (n - 2) - sum_i K_ij / (n - 2) + sum_ij K_ij / ((n - 1)(n - 2)) for i != j, K'_ii = 0

1 for states that are equal up to rotation, a shift and one scale; around 0, and at times below, for unrelated ones,
where the plain estimate of wide states with few rows is near 1.

What it does not show: anything about small differences. The few directions with the largest variance decide it, so two
models may differ in all that matters and keep a CKA of 0.99 (Davari et al. 2023); look at the neighbours as well.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

Rows = Float64[Tensor, "row width"]
Gram = Float64[Tensor, "row row"]


def gram(rows: Float[Tensor, "row width"]) -> Gram:
    """Inner products of centred rows; centring changes nothing in exact numbers, and saves digits in ours."""
    centred = rows.double() - rows.double().mean(0)
    return centred @ centred.T


def u_centred(kernel: Gram) -> Gram:
    """K' of the formula above."""
    n = len(kernel)
    k = kernel.clone().fill_diagonal_(0)
    sums = k.sum(1)
    k += sums.sum() / ((n - 1) * (n - 2)) - (sums[:, None] + sums[None]) / (n - 2)
    return k.fill_diagonal_(0)


def debiased_cka(a: Gram, b: Gram) -> float:
    """CKA of two Gram matrices over the same rows (at least 4)."""
    a, b = u_centred(a), u_centred(b)
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=torch.finfo(a.dtype).tiny))


def every_pair(
    own: Iterable[Float[Tensor, "row width"]], others: Iterable[Float[Tensor, "row width_other"]]
) -> Float[Tensor, "level other"]:
    """Debiased CKA of all pairs of levels, in single precision."""
    ours = torch.stack([_entries(rows) for rows in own])
    return torch.stack([ours @ _entries(rows) for rows in others], dim=1)


def _entries(rows: Float[Tensor, "row width"]) -> Float[Tensor, " entry"]:
    """The U-centred Gram matrix as a unit vector: CKA is the cosine of two of these."""
    kernel = u_centred(gram(rows))
    return (kernel / kernel.norm().clamp(min=torch.finfo(kernel.dtype).tiny)).float().flatten()

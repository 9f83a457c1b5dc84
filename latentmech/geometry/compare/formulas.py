"""Four measures of how alike two sets of states of the same words are; each is 1 for equal ones.

CKA     HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K = X X^T, L = Y Y^T
        (Kornblith et al. 2019, "Similarity of neural network representations revisited", eq. 2), with the unbiased HSIC
        of Song et al. (2012, eq. 5) as Nguyen et al. (2021, "Do wide and deep networks learn the same things?") use it:
            HSIC(K, L) = <K', L'> / (n (n - 3)),   K'_ii = 0, and for i != j
            K'_ij = K_ij - sum_j K_ij / (n - 2) - sum_i K_ij / (n - 2) + sum_ij K_ij / ((n - 1)(n - 2))
        1 up to rotation, a shift and one scale; around 0, and at times below, for unrelated states, where the plain
        estimate of wide states with few rows is near 1. It shows nothing about small differences: the few directions
        with the largest variance decide it, so two models may differ in all that matters and keep a CKA of 0.99 (Davari
        et al. 2023); look at the neighbours as well.
kNN     mean over rows i of |N_k(x_i) ∩ N_k(y_i)| / k
        (Huh et al. 2024, "The platonic representation hypothesis", appendix A), with N_k the k nearest rows by cosine
        after centring. 1 if every neighbourhood is the same set, k / (n - 1) by chance. It does not show how far the
        neighbours are, or that their order is the same. It depends on k and on how many rows there are to choose from,
        so only numbers of one sample can be compared.
Procrustes  |X^T Y|_*, X and Y centred and at Frobenius norm 1, |.|_* the sum of singular values: how near one set can
        be brought to another by turning it, for min over orthogonal Q of |X - Y Q|^2 = 2 - 2 |X^T Y|_* (Schönemann
        1966; Ding et al. 2021, "Grounding representation similarity with statistical testing"; Williams et al. 2021).
        1 up to rotation, shift and scale. States of other width are filled up with zeros, which changes no singular
        value. It does not show agreement beyond chance: with n rows in d dimensions unrelated states can be turned into
        each other to a good part when d is not much smaller than n; the same number for shuffled rows says how far.
subspace    mean over i of cos² θ_i = |U_a^T U_b|_F^2 / k
        with U the first k principal components of each model's states and θ_i the principal angles between the two
        subspaces (Björck & Golub 1973). 1 for the same subspace, k / d by chance. It compares places in one residual
        stream, so it says something about a model and its fine-tune, or about two checkpoints of one training: unlike
        the other measures it sees a rotation. Between models that were trained apart it is at chance, which does not
        mean that they differ.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

Gram = Float64[Tensor, "row row"]


def centred(rows: Float[Tensor, "row width"]) -> Float64[Tensor, "row width"]:
    """The rows around their mean, in double precision."""
    return rows.double() - rows.double().mean(0)


def gram(rows: Float[Tensor, "row width"]) -> Gram:
    """Inner products of centred rows; centring changes nothing in exact numbers, and saves digits in ours."""
    own = centred(rows)
    return own @ own.T


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
    return float((a * b).sum() / _positive(a.norm() * b.norm()))


def every_pair(
    own: Iterable[Float[Tensor, "row width"]], others: Iterable[Float[Tensor, "row width_other"]]
) -> Float[Tensor, "level other"]:
    """Debiased CKA of all pairs of levels, in single precision: the cosine of their U-centred Gram matrices."""
    ours = torch.stack([_entries(rows) for rows in own])
    return torch.stack([ours @ _entries(rows) for rows in others], dim=1)


def _entries(rows: Float[Tensor, "row width"]) -> Float[Tensor, " entry"]:
    kernel = u_centred(gram(rows))
    return (kernel / _positive(kernel.norm())).float().flatten()


def neighbours(rows: Float[Tensor, "row width"], k: int) -> Bool[Tensor, "row row"]:
    """Which rows are among the `k` nearest of each row, itself left out."""
    own = centred(rows)
    unit = own / _positive(own.norm(dim=1, keepdim=True))
    cosines = (unit @ unit.T).fill_diagonal_(-torch.inf)
    near = cosines.topk(k, dim=1).indices
    return torch.zeros_like(cosines, dtype=torch.bool).scatter_(1, near, True)


def shared(a: Bool[Tensor, "row row"], b: Bool[Tensor, "row row"]) -> Float[Tensor, " row"]:
    """Share of each row's neighbours in one that are neighbours in the other too."""
    return (a & b).sum(1) / a.sum(1)


def procrustes(a: Float[Tensor, "row width_a"], b: Float[Tensor, "row width_b"]) -> float:
    """Sum of singular values of X^T Y: 1 if they are equal up to rotation, shift and scale."""
    x, y = (own / _positive(own.norm()) for own in (centred(a), centred(b)))
    return float(torch.linalg.svdvals(x.T @ y).sum())


def procrustes_distance(similarity: float) -> float:
    """The squared Procrustes distance that belongs to a similarity: 0 to 2."""
    return max(2 - 2 * similarity, 0.0)


def principal(rows: Float[Tensor, "row d_model"], k: int) -> Float[Tensor, "d_model k"]:
    """Orthonormal basis of the `k` principal components with the largest variance."""
    own = centred(rows)
    return torch.linalg.eigh(own.T @ own).eigenvectors[:, -k:]


def overlap(a: Float[Tensor, "d_model k"], b: Float[Tensor, "d_model k"]) -> float:
    """Mean squared cosine of the principal angles between two subspaces, given by orthonormal bases."""
    return float((a.T @ b).square().sum() / a.shape[1])


def random_subspace(d_model: int, k: int, seed: int) -> Float[Tensor, "d_model k"]:
    """A subspace drawn uniformly."""
    noise = torch.randn(d_model, k, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(noise).Q


def _positive(norm: Float64[Tensor, "..."]) -> Float64[Tensor, "..."]:
    return norm.clamp(min=torch.finfo(norm.dtype).tiny)

"""Subspace overlap: whether two models use the same dimensions of the residual stream.

    o = mean over i of cos² θ_i = |U_a^T U_b|_F^2 / k

with U the first k principal components of each model's states and θ_i the principal angles between the two subspaces
(Björck & Golub 1973). 1 for the same subspace, k / d by chance.

It compares places in one residual stream, so it says something about a model and its fine-tune, or about two
checkpoints of one training: unlike the other measures it sees a rotation. Between models that were trained apart it is
at chance, which does not mean that they differ.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def principal(rows: Float[Tensor, "row d_model"], k: int) -> Float[Tensor, "d_model k"]:
    """Orthonormal basis of the `k` principal components with the largest variance."""
    centred = rows.double() - rows.double().mean(0)
    return torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -k:]


def overlap(a: Float[Tensor, "d_model k"], b: Float[Tensor, "d_model k"]) -> float:
    """Mean squared cosine of the principal angles between two subspaces, given by orthonormal bases."""
    return float((a.T @ b).square().sum() / a.shape[1])


def random_subspace(d_model: int, k: int, seed: int) -> Float[Tensor, "d_model k"]:
    """A subspace drawn uniformly."""
    noise = torch.randn(d_model, k, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(noise).Q

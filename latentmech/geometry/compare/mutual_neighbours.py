"""Mutual nearest neighbours: whether two models find the same words close to a word.

    m = mean over rows i of |N_k(x_i) ∩ N_k(y_i)| / k

(Huh et al. 2024, "The platonic representation hypothesis", appendix A), with N_k the k nearest rows by cosine after
centring. 1 if every neighbourhood is the same set, k / (n - 1) by chance.

What it does not show: how far the neighbours are, or that their order is the same. It depends on k and on how many
rows there are to choose from, so only numbers of one sample can be compared.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def neighbours(rows: Float[Tensor, "row width"], k: int) -> Bool[Tensor, "row row"]:
    """Which rows are among the `k` nearest of each row, itself left out."""
    centred = rows.double() - rows.double().mean(0)
    unit = centred / centred.norm(dim=1, keepdim=True).clamp(min=torch.finfo(centred.dtype).tiny)
    cosines = (unit @ unit.T).fill_diagonal_(-torch.inf)
    near = cosines.topk(k, dim=1).indices
    return torch.zeros_like(cosines, dtype=torch.bool).scatter_(1, near, True)


def shared(a: Bool[Tensor, "row row"], b: Bool[Tensor, "row row"]) -> Float[Tensor, " row"]:
    """Share of each row's neighbours in one that are neighbours in the other too."""
    return (a & b).sum(1) / a.sum(1)

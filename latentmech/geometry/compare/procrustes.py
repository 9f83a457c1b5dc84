"""Orthogonal Procrustes: how near one set of states can be brought to another by turning it.

    d = min over orthogonal Q of |X - Y Q|^2 = 2 - 2 |X^T Y|_*

with X and Y centred and at Frobenius norm 1, and |.|_* the sum of singular values (Schönemann 1966; Ding et al. 2021,
"Grounding representation similarity with statistical testing"; Williams et al. 2021). |X^T Y|_* itself is a similarity:
1 up to rotation, shift and scale. States of other width are filled up with zeros, which changes no singular value.

What it does not show: agreement beyond chance. With n rows in d dimensions unrelated states can be turned into each
other to a good part when d is not much smaller than n; the same number for shuffled rows says how far. For the same
reason fewer rows give more, and an interval from half-samples is given only where that is not seen (see `halves`).
"""

import torch
from jaxtyping import Float
from torch import Tensor


def similarity(a: Float[Tensor, "row width_a"], b: Float[Tensor, "row width_b"]) -> float:
    """Sum of singular values of X^T Y: 1 if they are equal up to rotation, shift and scale."""
    x, y = _standard(a), _standard(b)
    return float(torch.linalg.svdvals(x.T @ y).sum())


def distance(similarity: float) -> float:
    """The squared Procrustes distance that belongs to a similarity: 0 to 2."""
    return max(2 - 2 * similarity, 0.0)


def _standard(rows: Float[Tensor, "row width"]) -> Float[Tensor, "row width"]:
    centred = rows.double() - rows.double().mean(0)
    return centred / centred.norm().clamp(min=torch.finfo(centred.dtype).tiny)

"""Two properties of a cloud of vectors that make nearest neighbours mislead.

anisotropy   the mean cosine of all pairs (Ethayarajh 2019, "How contextual are contextualized word
             representations?"). 0 in a cloud that looks the same from all sides; near 1 all lie in a narrow cone,
             and a cosine of 0.9 means nothing. Stated for what a similarity compares: centred vectors are centred.
hubness      N_k(x) counts how often x is among the k nearest of the others; hubness is its skewness,
             E[(N_k - k)^3] / sd^3 (Radovanovic, Nanopoulos & Ivanovic 2010, "Hubs in space", section 3). High: a few
             points are everybody's neighbours. It grows with the dimension in any cloud, hence the null: a Gaussian
             cloud of the same mean and covariance.

Neither says whether the neighbours that are found make sense.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.geometry.similarity import nearest

Cloud = Float[Tensor, "row d_model"]


def anisotropy(vectors: Cloud) -> float:
    """Mean cosine of all pairs of different rows, from |sum of unit rows|^2, which also holds each row with itself."""
    rows = torch.nn.functional.normalize(vectors, dim=1).double()
    n = len(rows)
    return float((rows.sum(0).square().sum() - rows.square().sum()) / (n * (n - 1)))


def occurrences(vectors: Cloud, kind: str, k: int) -> Int[np.ndarray, " row"]:
    """How often each row is among the k nearest of another."""
    _, places = nearest(vectors, kind, k)
    return np.bincount(places.flatten().numpy(), minlength=len(vectors))


def hubness(counts: Int[np.ndarray, " row"]) -> float:
    """Skewness of the k-occurrence; 0 where all are equal."""
    from scipy.stats import skew

    return float(skew(counts)) if np.ptp(counts) else 0.0


def gaussian_like(vectors: Cloud, seed: int) -> Cloud:
    """As many draws from a Gaussian of the same mean and covariance: the shape of the cloud without its clusters."""
    centred = (vectors - vectors.mean(0)).double()
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(len(vectors), len(vectors), generator=generator, dtype=torch.float64)
    return (vectors.mean(0).double() + mixing @ centred / len(vectors) ** 0.5).float()

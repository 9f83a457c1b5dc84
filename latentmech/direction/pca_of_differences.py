"""The first principal component of pair differences, uncentred and symmetrised.

    d = top eigenvector of  sum_i  (p_i - n_i)(p_i - n_i)^T

Each difference counts with either sign, so the set has mean zero by construction and nothing is centred away
(Zou et al. 2023, "Representation engineering"; repeng does the same). The sign is that of the mean difference, the
length is the root of the mean square along it.

What it does not show: where pairs differ most is not where they differ alike. One topic with long differences can
turn the vector; compare it with the difference of means.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.direction.sample import Labelled
from latentmech.errors import BadInput

CITES = ("zou2023",)


def pca_of_differences(sample: Labelled) -> Float[Tensor, " d_model"]:
    """The vector, oriented towards the positive texts.

    Raises:
        BadInput: the texts are not paired.
    """
    apart = sample.apart()
    if apart is None:
        raise BadInput("direction.method=pca_of_differences needs pairs; give positive,negative rows or another method")
    square, axis, mean = apart
    return axis * torch.sign(axis @ mean) * square.sqrt()

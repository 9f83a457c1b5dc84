"""Directions that mean nothing, from easy to hard to beat.

isotropic    drawn evenly from the sphere: nearly all of such a vector lies where a model writes nothing
covariance   drawn from the states themselves, v = sum_i z_i (x_i - mean), z normal: as much of it lies along each axis
             as the states vary there. In residual streams, of which a few axes are most, it moves a model several times
             as much as an isotropic one of the same length
exchanged    found by the study's own method under labels that were exchanged as they were given (`exchanged`)
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.direction.candidates import random_directions
from latentmech.direction.direction import unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.parts import Parts, Rows
from latentmech.statistics import exchanged

isotropic_directions = random_directions


def covariance_directions(rows: Rows, n: int, seed: int) -> Float[Tensor, "draw d_model"]:
    """Unit vectors drawn from the covariance of some rows."""
    drawn = torch.randn(n, len(rows), generator=torch.Generator().manual_seed(seed))
    vectors = drawn.double() @ (rows.double() - rows.double().mean(0))
    return (vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-30)).float()


def exchanged_parts(parts: Parts, rng: np.random.Generator) -> Parts:
    """The parts with their labels exchanged once, in all splits; pairs point from their new positive member."""
    positive = exchanged(parts.positive, parts.group, parts.partners, rng)
    swapped = ~positive[parts.partners[:, 0]] if len(parts.partners) else np.zeros(0, dtype=bool)
    partners = np.where(swapped[:, None], parts.partners[:, ::-1], parts.partners)
    return replace(parts, positive=positive, partners=partners)


def exchanged_directions(
    method: DirectionMethod, parts: Parts, rows: Rows, n: int, seed: int
) -> Float[Tensor, "draw d_model"]:
    """Unit vectors that the method finds in train under exchanged labels."""
    rng, train = np.random.default_rng(seed), parts.within("train")
    found = [unit(method(exchanged_parts(parts, rng).sample(rows, train))) for _ in range(n)]
    return torch.stack(found) if found else torch.empty(0, rows.shape[1])

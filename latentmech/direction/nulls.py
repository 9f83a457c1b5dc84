"""Directions that mean nothing, from easy to hard to beat.

isotropic    drawn evenly from the sphere: nearly all of such a vector lies where a model writes nothing
covariance   drawn from the states themselves, v = sum_i z_i (x_i - mean), z normal: as much of it lies along each axis
             as the states vary there. In residual streams, of which a few axes are most, it moves a model several times
             as much as an isotropic one of the same length
exchanged    found by the study's own method under labels that were exchanged as they were given (`exchanged`)

Each may choose its place on dev as the direction may, and the first two their sign; then it is read on all texts.
Under exchanged labels all is done again, leaving topics out at the chosen place included.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Moments
from latentmech.direction.sample import Parts, Rows
from latentmech.statistics import aurocs, exchanged, folded

Drawn = Float[np.ndarray, "2 draw"]  # AUROC of each direction on dev, and on all texts


def isotropic_directions(n: int, d_model: int, seed: int) -> Float[Tensor, "draw d_model"]:
    """Unit vectors drawn evenly from the sphere."""
    drawn = torch.randn(n, d_model, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=1, keepdim=True)


def covariance_directions(rows: Rows, n: int, seed: int) -> Float[Tensor, "draw d_model"]:
    """Unit vectors drawn from the covariance of some rows."""
    drawn = torch.randn(n, len(rows), generator=torch.Generator().manual_seed(seed))
    vectors = drawn.double() @ (rows.double() - rows.double().mean(0))
    return (vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-30)).float()


def directions_within(moments: Moments, n: int, seed: int) -> Float[Tensor, "draw d_model"]:
    """The same, drawn from the covariance of rows that were summed up."""
    values, vectors = torch.linalg.eigh(moments.total)
    drawn = torch.randn(n, len(values), generator=torch.Generator().manual_seed(seed)).double()
    scaled = drawn * values.clamp(min=0).sqrt() @ vectors.T
    return (scaled / scaled.norm(dim=1, keepdim=True).clamp(min=1e-30)).float()


def exchanges(parts: Parts, n: int, seed: int) -> list[Parts]:
    """The parts under `n` exchanges of the labels, in all splits; pairs point from their new positive member."""
    rng = np.random.default_rng(seed)
    labels = [exchanged(parts.positive, parts.group, parts.partners, rng) for _ in range(n)]
    turned = [~positive[parts.partners[:, :1]] for positive in labels]
    pairs = [np.where(turn, parts.partners[:, ::-1], parts.partners) for turn in turned]
    return [replace(parts, positive=one, partners=two) for one, two in zip(labels, pairs, strict=True)]


def drawn_at(directions: Float[Tensor, "draw d_model"], parts: Parts, rows: Rows) -> Drawn:
    """What random directions read at one place."""
    scores, dev = (rows @ directions.T).double().numpy(), parts.within("dev")
    some = [aurocs(scores[dev], parts.positive[dev]), aurocs(scores, parts.positive)] if len(directions) else []
    return np.reshape(some, (2, -1))


def read_at_best(drawn: Sequence[Drawn]) -> Float[np.ndarray, " draw"]:
    """AUROC on all texts of random directions, each at the place and with the sign that dev likes best."""
    on_dev, everywhere = np.stack(drawn, axis=1)
    best = folded(on_dev).argmax(0), np.arange(on_dev.shape[1])
    return np.where(on_dev[best] >= 0.5, everywhere[best], 1 - everywhere[best])

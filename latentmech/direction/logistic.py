"""Logistic regression: the normal of the plane that a linear classifier would draw.

    min  mean_i log(1 + exp(-y_i (w . z_i + b)))  +  strength / 2 |w|^2        z = (x - mean) / scale

on standardised rows, by L-BFGS (Liu & Nocedal 1989); the normal is taken back to raw coordinates.

What it does not show: where the classes lie. With more dimensions than texts many planes separate perfectly, and the
penalty picks one; it is a reading direction more than a steering one.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from latentmech.direction.sample import LabelledRows

CITES = ("liu1989",)
STRENGTH = 0.01
STEPS = 100


def logistic(sample: LabelledRows) -> Float[Tensor, " d_model"]:
    """The normal, in raw coordinates."""
    _, mean, scale = sample.moments.standardised()
    rows = ((sample.rows.double() - mean) / scale).float()
    signs = sample.positive.float() * 2 - 1
    with torch.enable_grad():
        weight = torch.zeros(rows.shape[1], requires_grad=True)
        bias = torch.zeros((), requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = softplus(-signs * (rows @ weight + bias)).mean() + STRENGTH / 2 * weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)
    return weight.detach() / scale

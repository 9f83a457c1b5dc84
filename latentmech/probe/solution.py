"""`Solution`: weights of many linear problems over the same rows, in the coordinates of a `Sample`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.sample import Sample

Targets = Int[Tensor, "problem row"]
Strengths = Float[Tensor, "level problem"]


@dataclass(frozen=True)
class Solution:
    """For every level and problem, a weight and a bias per class.

    A problem is a labelling of the same rows: the task itself, a control task, shuffled labels.
    """

    weight: Float[Tensor, "level problem d_model class"]
    bias: Float[Tensor, "level problem class"]

    def logits(self, rows: Float[Tensor, "row d_model"], level: int, problem: int = 0) -> Float[Tensor, "row class"]:
        """Scores of one problem at one level."""
        return rows @ self.weight[level, problem] + self.bias[level, problem]

    def in_model_coordinates(self, sample: Sample, level: int, problem: int = 0) -> tuple[Tensor, Tensor]:
        """Weight `[class d_model]` and bias `[class]` that apply to rows as the model makes them."""
        weight = self.weight[level, problem].double() / sample.scale[level].double().unsqueeze(1)
        bias = self.bias[level, problem].double() - sample.mean[level].double() @ weight
        return weight.T.float().contiguous(), bias.float()


Fit = Callable[..., Solution]
"""`fit(sample, targets, n_classes, strengths, start=None, row_weights=None) -> Solution`"""


def class_sums(
    rows: Float[Tensor, "row d_model"], targets: Targets, n_classes: int
) -> Float[Tensor, "problem class d_model"]:
    """Sum of the rows of every class, for every problem."""
    one_hot = torch.nn.functional.one_hot(targets, n_classes).to(rows.dtype)
    return torch.einsum("pnc,nd->pcd", one_hot, rows)


def class_counts(targets: Targets, n_classes: int) -> Float[Tensor, "problem class"]:
    """Rows of every class, for every problem."""
    return torch.nn.functional.one_hot(targets, n_classes).sum(1).float()

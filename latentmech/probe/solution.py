"""What a fit is given and gives: `Targets`, and a `Solution` in the coordinates of a `Sample`.

A problem is a labelling of the same rows: the task itself, a control task, shuffled labels.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.sample import Sample

Strengths = Float[Tensor, " problem"]


@dataclass(frozen=True)
class Targets:
    """What is to be learned.

    Attributes:
        labels: class numbers of the sample's rows, or of the first of them.
        row_weights: weight of each row, mean 1; None where all count alike.
        first: the number of the first problem among the labellings that rows were summed up by.
    """

    labels: Int[Tensor, "problem row"]
    n_classes: int
    row_weights: Float[Tensor, "problem row"] | None = None
    first: int = 0

    @property
    def one_hot(self) -> Int[Tensor, "problem row class"]:
        """1 at the class of each row."""
        return torch.nn.functional.one_hot(self.labels, self.n_classes)

    @cached_property
    def counts(self) -> Float[Tensor, "problem class"]:
        """Rows of every class."""
        return self.one_hot.sum(1).float()

    def sums(self, sample: Sample) -> Float[Tensor, "problem class d_model"]:
        """Sum of the training rows of every class."""
        if sample.moments is not None:
            own = [sample.moments.labelled(self.first + i) for i in range(len(self.labels))]
            means = torch.stack([(one.means - sample.mean) / sample.scale for one in own]).float()
            return means * self.counts.unsqueeze(2)
        rows = sample.train
        return torch.einsum("pnc,nd->pcd", self.one_hot.to(rows.dtype), rows)

    @property
    def emphasis(self) -> Float[Tensor, "problem class"]:
        """The weight of each class's rows: 1, or that of any of its rows (they are alike)."""
        emphasis = torch.ones(len(self.labels), self.n_classes)
        return emphasis if self.row_weights is None else emphasis.scatter_(1, self.labels, self.row_weights)

    def balanced(self) -> "Targets":
        """With row weights that give every class the same sum, mean 1 over rows (scikit-learn's `balanced`)."""
        weights = (1 / self.counts.clamp(min=1)).gather(1, self.labels)
        return replace(self, row_weights=weights / weights.mean(1, keepdim=True))

    def part(self, place: Any) -> "Targets":
        """Some of the problems or rows, as tensors are indexed."""
        weights = None if self.row_weights is None else self.row_weights[place]
        return replace(self, labels=self.labels[place].contiguous(), row_weights=weights)


@dataclass(frozen=True)
class Solution:
    """For every problem, a weight and a bias per class."""

    weight: Float[Tensor, "problem d_model class"]
    bias: Float[Tensor, "problem class"]

    def logits(self, rows: Float[Tensor, "row d_model"], problem: int = 0) -> Float[Tensor, "row class"]:
        """Scores of one problem."""
        return rows @ self.weight[problem] + self.bias[problem]

    def in_model_coordinates(self, sample: Sample, problem: int = 0) -> tuple[Tensor, Tensor]:
        """Weight `[class d_model]` and bias `[class]` that apply to rows as the model makes them."""
        weight = self.weight[problem].double() / sample.scale.double().unsqueeze(1)
        bias = self.bias[problem].double() - sample.mean.double() @ weight
        return weight.T.float().contiguous(), bias.float()


Fit = Callable[..., Solution]
"""`fit(sample, targets, strengths, start=None) -> Solution`"""

"""Ridge regression onto one-hot labels: one closed form per strength (Hoerl & Kennard 1970).

    W = (X^T X / n + strength)^-1 X^T Y / n

In the eigenbasis of X^T X the inverse is a division, so a whole path of strengths costs as much as one. It is
quick and has a single optimum; its scores are no probabilities, and it trails logistic regression by a point.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Strengths, Targets, class_counts, class_sums


def ridge(
    sample: Sample,
    targets: Targets,
    n_classes: int,
    strengths: Strengths,
    start: Solution | None = None,
    row_weights: Float[Tensor, "problem row"] | None = None,
) -> Solution:
    """Fit every problem at every level; `start` is not needed, and class weights enter through the sums only."""
    del start
    counts = class_counts(targets, n_classes)
    share = counts / targets.shape[1]
    emphasis = class_emphasis(targets, n_classes, row_weights)
    solved = [
        _one_level(sample, level, class_sums(sample.train[level], targets, n_classes) * emphasis, strengths[level])
        for level in range(sample.n_levels)
    ]
    return Solution(torch.stack(solved), (share * emphasis.squeeze(2)).expand(sample.n_levels, -1, -1).contiguous())


def class_emphasis(
    targets: Targets, n_classes: int, row_weights: Float[Tensor, "problem row"] | None
) -> Float[Tensor, "problem class 1"]:
    """The weight of each class's rows: 1, or that of any of its rows (they are alike)."""
    emphasis = torch.ones(len(targets), n_classes)
    if row_weights is not None:
        emphasis.scatter_(1, targets, row_weights)
    return emphasis.unsqueeze(2)


def _one_level(
    sample: Sample, level: int, sums: Float[Tensor, "problem class d_model"], strengths: Float[Tensor, " problem"]
) -> Float[Tensor, "problem d_model class"]:
    values, vectors = sample.spectrum[level]
    rotated = sums / sample.n_rows @ vectors
    return (rotated / (values + strengths[:, None, None]) @ vectors.T).transpose(1, 2)

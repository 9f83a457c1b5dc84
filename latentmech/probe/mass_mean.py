"""Mass-mean probe: the class means are the classifier (Marks & Tegmark 2023, "The geometry of truth").

    w_c = m_c      b_c = -|m_c|^2 / 2

in standardised coordinates: the nearest class mean wins. Nothing is fitted beyond the means, so it cannot overfit;
what it scores is a lower bound on what is linearly there.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Strengths, Targets, class_counts, class_sums


def mass_mean(
    sample: Sample,
    targets: Targets,
    n_classes: int,
    strengths: Strengths,
    start: Solution | None = None,
    row_weights: Float[Tensor, "problem row"] | None = None,
) -> Solution:
    """Fit every problem at every level; there is no strength, and a class weight would change nothing."""
    del strengths, start, row_weights
    counts = class_counts(targets, n_classes)
    size = counts.clamp(min=1).unsqueeze(2)
    means = torch.stack([class_sums(rows, targets, n_classes) / size for rows in sample.train])
    bias = torch.where(counts > 0, -means.pow(2).sum(3) / 2, -torch.inf)  # a class without rows has no mean
    return Solution(means.transpose(2, 3).contiguous(), bias)

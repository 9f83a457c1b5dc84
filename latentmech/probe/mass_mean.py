"""Mass-mean probe: the class means are the classifier (Marks & Tegmark 2023, "The geometry of truth").

    w_c = m_c      b_c = -|m_c|^2 / 2

in standardised coordinates: the nearest class mean wins. Nothing is fitted beyond the means, so it cannot overfit;
what it scores is a lower bound on what is linearly there.
"""

import torch

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Strengths, Targets


def mass_mean(sample: Sample, targets: Targets, strengths: Strengths, start: Solution | None = None) -> Solution:
    """Fit every problem; there is no strength, and a class weight would change nothing."""
    del strengths, start
    means = targets.sums(sample.train) / targets.counts.clamp(min=1).unsqueeze(2)
    bias = torch.where(targets.counts > 0, -means.pow(2).sum(2) / 2, -torch.inf)  # a class without rows has no mean
    return Solution(means.transpose(1, 2).contiguous(), bias)

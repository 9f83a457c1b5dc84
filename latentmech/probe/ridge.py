"""Ridge regression onto one-hot labels: one closed form per strength (Hoerl & Kennard 1970).

    W = (X^T X / n + strength)^-1 X^T Y / n

In the eigenbasis of X^T X the inverse is a division, so a whole path of strengths costs as much as one. It is
quick and has a single optimum; its scores are no probabilities, and it trails logistic regression by a point.
"""

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Strengths, Targets


def ridge(sample: Sample, targets: Targets, strengths: Strengths, start: Solution | None = None) -> Solution:
    """Fit every problem; `start` is not needed, and class weights enter through the sums only."""
    del start
    n, emphasis, (values, vectors) = len(sample.train), targets.emphasis, sample.spectrum
    rotated = targets.sums(sample.train) * emphasis.unsqueeze(2) / n @ vectors
    weight = (rotated / (values + strengths[:, None, None]) @ vectors.T).transpose(1, 2)
    return Solution(weight.contiguous(), targets.counts / n * emphasis)

"""The ways to fit a linear probe: three closed forms, logistic regression, and the strengths that are tried of each.

Ridge regression onto one-hot labels (Hoerl & Kennard 1970). In the eigenbasis of X^T X the inverse is a division, so a
whole path of strengths costs as much as one. It is quick and has a single optimum; its scores are no probabilities, and
it trails logistic regression by a point.

    W = (X^T X / n + strength)^-1 X^T Y / n

Linear discriminant analysis with a shrunk pooled covariance (Fisher 1936; Friedman 1989). `a` is the strength, clipped
to [0, 1]; S_within is the covariance of all rows without that of the class means. With equal covariances in all classes
this is the best classifier there is, and with unequal ones it is not.

    w_c = S^-1 m_c      b_c = log p_c - m_c . w_c / 2      S = (1 - a) S_within + a I

Mass-mean probe (Marks & Tegmark 2023, "The geometry of truth"): in standardised coordinates the nearest class mean
wins. Nothing is fitted beyond the means, so it cannot overfit; what it scores is a lower bound on what is linearly
there.

    w_c = m_c      b_c = -|m_c|^2 / 2
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from latentmech.probe.logistic import logistic
from latentmech.probe.sample import Sample
from latentmech.probe.solution import Fit, Solution, Strengths, Targets


def ridge(sample: Sample, targets: Targets, strengths: Strengths, start: Solution | None = None) -> Solution:
    """Fit every problem; `start` is not needed, and class weights enter through the sums only."""
    del start
    n, emphasis, (values, vectors) = sample.n, targets.emphasis, sample.spectrum
    rotated = targets.sums(sample) * emphasis.unsqueeze(2) / n @ vectors
    weight = (rotated / (values + strengths[:, None, None]) @ vectors.T).transpose(1, 2)
    return Solution(weight.contiguous(), targets.counts / n * emphasis)


def lda(sample: Sample, targets: Targets, strengths: Strengths, start: Solution | None = None) -> Solution:
    """Fit every problem; class weights change the priors only."""
    del start
    n, counts = sample.n, targets.counts
    prior = (counts / n * targets.emphasis).clamp(min=1e-12)
    means = targets.sums(sample) / counts.clamp(min=1).unsqueeze(2)
    values, vectors = (part.double() for part in sample.spectrum)
    total = vectors * values @ vectors.T
    between = torch.einsum("pcd,pc,pce->pde", means.double(), counts.double() / n, means.double())
    a = strengths.clamp(1e-6, 1).double()[:, None, None]
    shrunk = (1 - a) * (total - between) + a * torch.eye(len(total), dtype=torch.float64)
    # One factorisation at a time: batched inverses fail on some builds of the linear-algebra library.
    solved = [torch.cholesky_solve(m.double().T, torch.linalg.cholesky(s)) for s, m in zip(shrunk, means, strict=True)]
    weight = torch.stack(solved).float()
    return Solution(weight, prior.log() - torch.einsum("pcd,pdc->pc", means, weight) / 2)


def mass_mean(sample: Sample, targets: Targets, strengths: Strengths, start: Solution | None = None) -> Solution:
    """Fit every problem; there is no strength, and a class weight would change nothing."""
    del strengths, start
    means = targets.sums(sample) / targets.counts.clamp(min=1).unsqueeze(2)
    bias = torch.where(targets.counts > 0, -means.pow(2).sum(2) / 2, -torch.inf)  # a class without rows has no mean
    return Solution(means.transpose(1, 2).contiguous(), bias)


@dataclass(frozen=True)
class FitMethod:
    """A fit function and a path of strengths in falling order.

    Attributes:
        fit: accurate enough for dev to tell strengths apart: the last digits of a loss do not move its score.
        fit_loosely: the same to fewer digits, for control labellings: learning noise by heart takes many steps,
            and their scores differ more between seeds than between tolerances.
    """

    fit: Fit
    fit_loosely: Fit
    path: tuple[float, ...]


METHODS = {
    "logistic": FitMethod(
        logistic,
        # What must be learned by heart is not learned from an eighth of the rows: no start from there.
        partial(logistic, tolerance=1e-2, from_fewer=False),
        (0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001),
    ),
    "ridge": FitMethod(ridge, ridge, (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)),
    "lda": FitMethod(lda, lda, (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)),
    "mass_mean": FitMethod(mass_mean, mass_mean, (0.0,)),
}


def method_of(name: str, strengths: Sequence[float] | None) -> FitMethod:
    """The method called `name`, with its own path or the one given."""
    path = METHODS[name].path if strengths is None else tuple(sorted(map(float, strengths), reverse=True))
    return replace(METHODS[name], path=path)

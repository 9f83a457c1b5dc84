"""Linear discriminant analysis with a shrunk pooled covariance (Fisher 1936; Friedman 1989).

    w_c = S^-1 m_c      b_c = log p_c - m_c . w_c / 2      S = (1 - a) S_within + a I

`a` is the strength, clipped to [0, 1]; S_within is the covariance of all rows without that of the class means. With
equal covariances in all classes this is the best classifier there is, and with unequal ones it is not.
"""

import torch

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Strengths, Targets


def lda(sample: Sample, targets: Targets, strengths: Strengths, start: Solution | None = None) -> Solution:
    """Fit every problem; class weights change the priors only."""
    del start
    n, counts = len(sample.train), targets.counts
    prior = (counts / n * targets.emphasis).clamp(min=1e-12)
    means = targets.sums(sample.train) / counts.clamp(min=1).unsqueeze(2)
    values, vectors = (part.double() for part in sample.spectrum)
    total = vectors * values @ vectors.T
    between = torch.einsum("pcd,pc,pce->pde", means.double(), counts.double() / n, means.double())
    a = strengths.clamp(1e-6, 1).double()[:, None, None]
    shrunk = (1 - a) * (total - between) + a * torch.eye(len(total), dtype=torch.float64)
    # One factorisation at a time: batched inverses fail on some builds of the linear-algebra library.
    solved = [torch.cholesky_solve(m.double().T, torch.linalg.cholesky(s)) for s, m in zip(shrunk, means, strict=True)]
    weight = torch.stack(solved).float()
    return Solution(weight, prior.log() - torch.einsum("pcd,pdc->pc", means, weight) / 2)

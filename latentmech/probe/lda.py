"""Linear discriminant analysis with a shrunk pooled covariance (Fisher 1936; Friedman 1989).

    w_c = S^-1 m_c      b_c = log p_c - m_c . w_c / 2      S = (1 - a) S_within + a I

`a` is the strength, clipped to [0, 1]. S comes from `Moments`, so does everything else; with equal covariances in
all classes this is the best classifier there is, and with unequal ones it is not.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.probe.ridge import class_emphasis
from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Strengths, Targets, class_counts, class_sums


def lda(
    sample: Sample,
    targets: Targets,
    n_classes: int,
    strengths: Strengths,
    start: Solution | None = None,
    row_weights: Float[Tensor, "problem row"] | None = None,
) -> Solution:
    """Fit every problem at every level; class weights change the priors only."""
    del start
    counts = class_counts(targets, n_classes)
    prior = (counts / targets.shape[1] * class_emphasis(targets, n_classes, row_weights).squeeze(2)).clamp(min=1e-12)
    weights, biases = [], []
    for level in range(sample.n_levels):
        means = class_sums(sample.train[level], targets, n_classes) / counts.clamp(min=1).unsqueeze(2)
        weight = _whitened(sample, level, means, counts, strengths[level].clamp(1e-6, 1))
        weights.append(weight)
        biases.append(prior.log() - torch.einsum("pcd,pdc->pc", means, weight) / 2)
    return Solution(torch.stack(weights), torch.stack(biases))


def _whitened(
    sample: Sample,
    level: int,
    means: Float[Tensor, "problem class d_model"],
    counts: Float[Tensor, "problem class"],
    strengths: Float[Tensor, " problem"],
) -> Float[Tensor, "problem d_model class"]:
    """S^-1 m for every class, with S_within = total - between."""
    n = sample.n_rows
    values, vectors = (part.double() for part in sample.spectrum[level])
    total = vectors * values @ vectors.T
    between = torch.einsum("pcd,pc,pce->pde", means.double(), counts.double() / n, means.double())
    a = strengths.double()[:, None, None]
    shrunk = (1 - a) * (total - between) + a * torch.eye(len(total), dtype=torch.float64)
    # One factorisation at a time: batched inverses fail on some builds of the linear-algebra library.
    solved = [torch.cholesky_solve(m.double().T, torch.linalg.cholesky(s)) for s, m in zip(shrunk, means, strict=True)]
    return torch.stack(solved).float()

"""Online code length: how many bits it takes to send the labels to someone who has the activations.

Voita & Titov (2020, "Information-theoretic probing with minimum description length"): the first block is sent
with a uniform code; each further block with the probabilities of a probe trained on all blocks before it.
A short code needs labels that are both accurate and easy to learn, so it punishes a probe that merely memorises.
The prior on the weights is the same throughout, hence the strength per row falls as rows are added, and the same at
every level: lengths would not compare if each level had a penalty of its own. Predictions are mixed with the uniform
distribution as if every class had been seen once (Laplace): a class that the first blocks lack would otherwise cost as
much as the optimiser happened to allow.
"""

import math
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.logistic import logistic
from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution, Targets

SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
SMALLEST = 32  # rows in the first block, at least
TOLERANCE = 2e-3  # of each fit, in nats per row
CHUNK = 2048  # rows whose chances are computed at a time
PRIOR = 10.0  # precision of the weights on standardised rows: 5 to 20 differ by a few hundredths on 5,000 words


def online_code(sample: Sample, labels: Int[Tensor, " row"], n_classes: int) -> float:
    """Bits to send `labels`. The rows of the sample must be in random order of documents."""
    n = len(labels)
    ends = sorted({min(n, max(SMALLEST, round(share * n))) for share in SHARES})
    bits, solution = torch.tensor(ends[0] * math.log2(n_classes)), None
    for begin, end in pairwise(ends):
        seen = Targets(labels[None, :begin], n_classes)
        solution = logistic(sample, seen, torch.tensor([PRIOR / begin]), solution, tolerance=TOLERANCE)
        bits += _bits(solution, sample.train[begin:end], labels[begin:end], begin)
    return float(bits)


def uniform_code(n_rows: int, n_classes: int) -> float:
    """Bits when nothing is known: compression is this divided by the code length."""
    return n_rows * math.log2(n_classes)


def _bits(solution: Solution, rows: Float[Tensor, "row d_model"], labels: Int[Tensor, " row"], n_seen: int) -> float:
    """Bits for one block, by a probe that has seen `n_seen` rows."""
    bits = 0.0
    for part, given in zip(rows.split(CHUNK), labels.split(CHUNK), strict=True):
        chances = solution.logits(part).softmax(1)
        mixed = (n_seen * chances + 1) / (n_seen + chances.shape[1])
        bits -= float(mixed.gather(1, given.unsqueeze(1)).log2().sum())
    return bits

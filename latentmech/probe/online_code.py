"""Online code length: how many bits it takes to send the labels to someone who has the activations.

Voita & Titov (2020, "Information-theoretic probing with minimum description length"): the first block is sent
with a uniform code; each further block with the probabilities of a probe trained on all blocks before it.
A short code needs labels that are both accurate and easy to learn, so it punishes a probe that merely memorises.
The prior on the weights stays the same throughout, hence the strength per row falls as rows are added.
"""

import math
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.logistic import CHUNK, logistic
from latentmech.probe.sample import Sample
from latentmech.probe.solution import Solution

SHARES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
SMALLEST = 32  # rows in the first block, at least
TOLERANCE = 1e-4  # nats per row; the code is longer by no more than this


def online_code(
    sample: Sample, targets: Int[Tensor, " row"], n_classes: int, strengths: Float[Tensor, " level"]
) -> Float[Tensor, " level"]:
    """Bits to send `targets`, at each level. The rows of the sample must be in random order of documents."""
    n = len(targets)
    ends = sorted({min(n, max(SMALLEST, round(share * n))) for share in SHARES})
    bits = torch.full((sample.n_levels,), ends[0] * math.log2(n_classes))
    solution = None
    for begin, end in pairwise(ends):
        strength = strengths[:, None] * n / begin
        past = sample.first(begin)
        solution = logistic(past, targets[None, :begin], n_classes, strength, solution, tolerance=TOLERANCE)
        bits += torch.tensor([_bits(solution, i, r[begin:end], targets[begin:end]) for i, r in enumerate(sample.train)])
    return bits


def uniform_code(n_rows: int, n_classes: int) -> float:
    """Bits when nothing is known: compression is this divided by the code length."""
    return n_rows * math.log2(n_classes)


def _bits(solution: Solution, level: int, rows: Float[Tensor, "row d_model"], targets: Int[Tensor, " row"]) -> float:
    nats = 0.0
    for begin in range(0, len(targets), CHUNK):
        logits = solution.logits(rows[begin : begin + CHUNK], level)
        nats += float(torch.nn.functional.cross_entropy(logits, targets[begin : begin + CHUNK], reduction="sum"))
    return nats / math.log(2)

"""A path of strengths, from strong to weak, and the place on it that the development part likes best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Fit, Solution, Targets

Score = Callable[[Float[Tensor, "row class"]], float]


@dataclass(frozen=True)
class Chosen:
    """The best solution of every level on the development part.

    Attributes:
        solution: one problem per level.
        strengths: where on the path it lies.
        scores: its score on the development part.
    """

    solution: Solution
    strengths: Float[Tensor, " level"]
    scores: Float[Tensor, " level"]


def choose_strength(
    fit: Fit,
    sample: Sample,
    targets: Targets,
    n_classes: int,
    path: Sequence[float],
    score: Score,
    row_weights: Float[Tensor, "problem row"] | None = None,
) -> Chosen:
    """Walk down the path, each solution starting from the last, until no level gains any more.

    Args:
        targets: one labelling.
        path: strengths in falling order.
        score: what to maximise, given the logits of the development rows.
    """
    best: Chosen | None = None
    solution = None
    for strength in path:
        strengths = torch.full((sample.n_levels, 1), strength)
        solution = fit(sample, targets, n_classes, strengths, start=solution, row_weights=row_weights)
        scores = torch.tensor([score(solution.logits(sample.dev, level)) for level in range(sample.n_levels)])
        here = Chosen(solution, strengths[:, 0], scores)
        if best is not None and not (scores > best.scores).any():
            break
        best = here if best is None else _better(best, here)
    assert best is not None, "the path is empty"
    return best


def _better(a: Chosen, b: Chosen) -> Chosen:
    """Level by level, whichever scores higher; the stronger penalty where they tie."""
    gain = b.scores > a.scores
    weight = torch.where(gain[:, None, None, None], b.solution.weight, a.solution.weight)
    bias = torch.where(gain[:, None, None], b.solution.bias, a.solution.bias)
    strengths = torch.where(gain, b.strengths, a.strengths)
    return Chosen(Solution(weight, bias), strengths, torch.where(gain, b.scores, a.scores))

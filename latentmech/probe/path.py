"""A path of strengths, from strong to weak, and the place on it that the development part likes best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Fit, Solution, Targets

PATIENCE = 2  # strengths without gain after which a level is done

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
    """Walk down the path, each solution starting from the last; a level stops after two without gain.

    Args:
        targets: one labelling.
        path: strengths in falling order.
        score: what to maximise, given the logits of the development rows.
    """
    best = _at(fit, sample, targets, n_classes, path[0], score, None, row_weights)
    solution, going = best.solution, torch.arange(sample.n_levels)
    misses = torch.zeros(sample.n_levels, dtype=torch.long)
    for strength in path[1:]:
        here = _at(fit, sample.only(going.tolist()), targets, n_classes, strength, score, solution, row_weights)
        gains = here.scores > best.scores[going]
        best = _merged(best, here, going, gains)
        misses = torch.where(gains, 0, misses + 1)
        hopeful = misses < PATIENCE
        going, misses = going[hopeful], misses[hopeful]
        solution = Solution(here.solution.weight[hopeful], here.solution.bias[hopeful])
        if not len(going):
            break
    return best


def _at(
    fit: Fit,
    sample: Sample,
    targets: Targets,
    n_classes: int,
    strength: float,
    score: Score,
    start: Solution | None,
    row_weights: Float[Tensor, "problem row"] | None,
) -> Chosen:
    """Fit and score all levels of `sample` at one strength."""
    strengths = torch.full((sample.n_levels, 1), strength)
    solution = fit(sample, targets, n_classes, strengths, start=start, row_weights=row_weights)
    scores = torch.tensor([score(solution.logits(rows, level)) for level, rows in enumerate(sample.dev)])
    return Chosen(solution, strengths[:, 0], scores)


def _merged(best: Chosen, here: Chosen, levels: Int[Tensor, " some"], gains: Bool[Tensor, " some"]) -> Chosen:
    """`best` with the levels that have gained replaced."""
    index = levels[gains]
    weight, bias = best.solution.weight.clone(), best.solution.bias.clone()
    strengths, scores = best.strengths.clone(), best.scores.clone()
    weight[index], bias[index] = here.solution.weight[gains], here.solution.bias[gains]
    strengths[index], scores[index] = here.strengths[gains], here.scores[gains]
    return Chosen(Solution(weight, bias), strengths, scores)

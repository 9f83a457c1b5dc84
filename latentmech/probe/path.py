"""A path of strengths, from strong to weak, and the place on it that the development part likes best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
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
        nats: minus the mean log-likelihood of the development labels (if logits are such), at its best on the path.
    """

    solution: Solution
    strengths: Float[Tensor, " level"]
    scores: Float[Tensor, " level"]
    nats: Float[Tensor, " level"]


def choose_strength(
    fit: Fit,
    sample: Sample,
    targets: Targets,
    n_classes: int,
    path: Sequence[float],
    score: Score,
    dev: Int[Tensor, " other"],
    row_weights: Float[Tensor, "problem row"] | None = None,
) -> Chosen:
    """Walk down the path, each solution starting from the last; a level stops where neither score nor likelihood gain.

    Args:
        targets: one labelling.
        path: strengths in falling order.
        score: what to maximise, given the logits of the development rows.
        dev: labels of the development rows.
    """
    fitted = partial(_at, fit, targets, n_classes, score, dev, row_weights)
    best = fitted(sample, path[0], None)
    solution, going = best.solution, torch.arange(sample.n_levels)
    for strength in path[1:]:
        here = fitted(sample.only(going.tolist()), strength, solution)
        gains, likelier = here.scores > best.scores[going], here.nats < best.nats[going]
        best = _merged(best, here, going, gains, likelier)
        hopeful = gains | likelier
        going, solution = going[hopeful], Solution(here.solution.weight[hopeful], here.solution.bias[hopeful])
        if not len(going):
            break
    return best


def _at(
    fit: Fit,
    targets: Targets,
    n_classes: int,
    score: Score,
    dev: Int[Tensor, " other"],
    row_weights: Float[Tensor, "problem row"] | None,
    sample: Sample,
    strength: float,
    start: Solution | None,
) -> Chosen:
    """Fit and score all levels of `sample` at one strength."""
    strengths = torch.full((sample.n_levels, 1), strength)
    solution = fit(sample, targets, n_classes, strengths, start=start, row_weights=row_weights)
    logits = [solution.logits(rows, level) for level, rows in enumerate(sample.dev)]
    scores = torch.tensor([score(z) for z in logits])
    nats = torch.stack([torch.nn.functional.cross_entropy(z, dev) for z in logits])
    return Chosen(solution, strengths[:, 0], scores, nats)


def _merged(
    best: Chosen,
    here: Chosen,
    levels: Int[Tensor, " some"],
    gains: Bool[Tensor, " some"],
    likelier: Bool[Tensor, " some"],
) -> Chosen:
    """`best` with the levels that have gained replaced."""
    index = levels[gains]
    weight, bias = best.solution.weight.clone(), best.solution.bias.clone()
    strengths, scores = best.strengths.clone(), best.scores.clone()
    weight[index], bias[index] = here.solution.weight[gains], here.solution.bias[gains]
    strengths[index], scores[index] = here.strengths[gains], here.scores[gains]
    nats = best.nats.clone()
    nats[levels[likelier]] = here.nats[likelier]
    return Chosen(Solution(weight, bias), strengths, scores, nats)

"""A path of strengths, from strong to weak, and the place on it that the development part likes best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.sample import Sample, side_by_side
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

    def one_level(level: int) -> Chosen:
        alone = sample.only([level])

        def at(strength: float, start: Solution | None) -> Chosen:
            strengths = torch.full((1, 1), strength)
            solution = fit(alone, targets, n_classes, strengths, start=start, row_weights=row_weights)
            return _judged(solution, strengths[0], alone, score, dev)

        best = here = at(path[0], None)
        for strength in path[1:]:
            here = at(strength, here.solution)
            gains, likelier = bool(here.scores > best.scores), bool(here.nats < best.nats)
            best = replace(here if gains else best, nats=torch.minimum(here.nats, best.nats))
            if not gains and not likelier:
                break
        return best

    found = side_by_side(one_level, range(sample.n_levels))
    weight, bias = (torch.cat([getattr(f.solution, name) for f in found]) for name in ("weight", "bias"))
    rest = (torch.cat([getattr(f, name) for f in found]) for name in ("strengths", "scores", "nats"))
    return Chosen(Solution(weight, bias), *rest)


def _judged(
    solution: Solution, strength: Float[Tensor, " level"], sample: Sample, score: Score, dev: Int[Tensor, " other"]
) -> Chosen:
    """What the development part says to a solution of one level."""
    logits = solution.logits(sample.dev[0], 0)
    nats = torch.nn.functional.cross_entropy(logits, dev)[None]
    return Chosen(solution, strength, torch.tensor([score(logits)]), nats)

"""A path of strengths, from strong to weak, and the place on it that the development part likes best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.sample import Sample
from latentmech.probe.solution import Fit, Solution, Targets

Score = Callable[[Float[Tensor, "row class"]], float]


@dataclass(frozen=True)
class Chosen:
    """The solution of one problem that the development part likes best.

    Attributes:
        strengths: where on the path it lies.
        score: its score on the development part.
        nats: minus the mean log-likelihood of the development labels (if logits are such), at its best on the path.
    """

    solution: Solution
    strengths: Float[Tensor, "1"]
    score: Float[Tensor, ""]
    nats: Float[Tensor, ""]


def choose_strength(
    fit: Fit, sample: Sample, targets: Targets, path: Sequence[float], score: Score, dev: Int[Tensor, " other"]
) -> Chosen:
    """Walk down the path, each solution starting from the last, until neither score nor likelihood gains.

    Args:
        targets: one labelling.
        path: strengths in falling order.
        score: what to maximise, given the logits of the development rows.
        dev: labels of the development rows.
    """

    def at(strength: float, start: Solution | None) -> Chosen:
        strengths = torch.tensor([strength])
        solution = fit(sample, targets, strengths, start)
        logits = solution.logits(sample.dev)
        nats = torch.nn.functional.cross_entropy(logits, dev)
        return Chosen(solution, strengths, torch.tensor(score(logits)), nats)

    best = here = at(path[0], None)
    for strength in path[1:]:
        here = at(strength, here.solution)
        gains, likelier = bool(here.score > best.score), bool(here.nats < best.nats)
        best = replace(here if gains else best, nats=torch.minimum(here.nats, best.nats))
        if not gains and not likelier:
            break
    return best

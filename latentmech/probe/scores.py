"""How a probe's answers are scored, and which score decides what.

accuracy            share of right answers
F1                  of the last one of two classes
balanced accuracy   mean over the classes of the share that is answered right
AUROC               of the margin: the last class's logit minus the first's

A block and a strength are chosen by accuracy, or for two classes by AUROC, whose floor is 0.5. F1 has no floor that
holds for all labels: whoever always gives the positive answer, a share p of all, has an F1 of 2p / (1 + p).

Who beats whom is decided by accuracy, or for two classes by balanced accuracy. Every rival can be scored by it, those
that give answers and no margin (look-ups) too, and any one answer for all has 0.5. It asks more of a probe than AUROC:
the answers themselves, with the threshold that training gave them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.problem import Problem
from latentmech.statistics import Estimate, Tally, auroc, auroc_of, balanced_accuracy_of, estimate, f1, f1_of, mean_of

Labels = Int[np.ndarray, " row"]
Score = Callable[[Float[Tensor, "row class"]], float]


def metric_of(n_classes: int) -> str:
    """The score by which blocks and strengths are chosen."""
    return "auroc" if n_classes == 2 else "accuracy"


def compared_by(n_classes: int) -> str:
    """The score by which a probe beats its rivals, or does not."""
    return "balanced_accuracy" if n_classes == 2 else "accuracy"


def score_logits(labels: Labels, metric: str) -> Score:
    """A choosing score (`accuracy`, `balanced_accuracy`, `f1` or `auroc`) as a function of logits."""
    truth, everything = torch.from_numpy(labels), np.zeros_like(labels)
    scores: dict[str, Score] = {
        "accuracy": lambda logits: float((logits.argmax(1) == truth).float().mean()),
        "balanced_accuracy": lambda logits: balanced_accuracy_of(logits.argmax(1).numpy(), labels, everything).value,
        "f1": lambda logits: f1(logits.argmax(1).numpy() == 1, labels == 1),
        "auroc": lambda logits: auroc((logits[:, -1] - logits[:, 0]).numpy(), labels == 1),
    }
    return scores[metric]


@dataclass(frozen=True, eq=False)
class Scored:
    """Somebody's answers on a split, and what they are worth: by name of the score, over documents."""

    predicted: Labels
    tallies: Mapping[str, Tally]
    draws: int = 1000

    @cached_property
    def scores(self) -> dict[str, Estimate]:
        """Each with its interval."""
        return {name: estimate(tally, self.draws) for name, tally in self.tallies.items()}


def scored(
    problem: Problem,
    split: str,
    predicted: Labels,
    margin: Float[np.ndarray, " row"] | None = None,
    labels: Int[np.ndarray, " unit"] | None = None,
    draws: int = 1000,
) -> Scored:
    """Every score that applies to answers on a split.

    Args:
        margin: logit of the last class minus that of the first, for AUROC; None leaves it out.
        labels: of every unit; default the task's own, else those of a control labelling.
    """
    truth, clusters = problem.of(split, problem.labels if labels is None else labels), problem.clusters(split)
    tallies = {"accuracy": mean_of((predicted == truth).astype(float), clusters, 0, 1)}
    if problem.n_classes == 2:
        tallies["balanced_accuracy"] = balanced_accuracy_of(predicted, truth, clusters)
        tallies["f1"] = f1_of(predicted == 1, truth == 1, clusters)
        if margin is not None:
            tallies["auroc"] = auroc_of(margin, truth == 1, clusters)
    return Scored(predicted, tallies, draws)


def logits_on_test(
    problem: Problem, level: Float[Tensor, "row d_model"], probe: LinearProbe
) -> Float[np.ndarray, "part class"]:
    """Logits of a level's test rows, in double precision: some dimensions are thousands of times larger than others."""
    rows = level[problem.activation_rows("test")].double()
    return (rows @ probe.weight.double().T + probe.bias.double()).numpy()


def mean_of_tallies(tallies: Sequence[Tally]) -> Tally:
    """The mean score of several on the same rows, such as of one for each seed."""
    return replace(tallies[0], by=lambda w: np.mean([tally.by(w) for tally in tallies], axis=0))

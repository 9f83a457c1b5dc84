"""What becomes of a linear probe: trained on the first model's states, and read out on the other's as it is.

    source     test accuracy in the first model of its own probe
    frozen     test accuracy of that probe, weights and bias untouched, on the other model's states
    refitted   test accuracy of a probe trained on the other model's states

A refitted probe asks whether the label can still be read, a frozen one whether it still lies where it lay: a turn of
the whole space would leave the first as it is and ruin the second. Probes are ridge regressions onto the labels (a
closed form, see `latentmech.probe.ridge`), the strength chosen on dev documents; test documents are read once.

What it does not show: that the model uses what the probe reads. A frozen probe also fails where states only grew or
moved, for its scale and bias are frozen with it; and a label that follows from the word alone is read at any level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from latentmech.activations import Activations
from latentmech.data import Examples, task, to_score
from latentmech.model import Level
from latentmech.probe import METHODS, Fitting, LinearProbe, Problem, problem_of
from latentmech.statistics import Estimate, difference, estimate, mean_of


@dataclass(frozen=True)
class ProbeDrift:
    """One level of two models.

    Attributes:
        loss: refitted minus frozen, paired.
        majority: accuracy of always saying the most frequent label of train.
    """

    source: Estimate
    frozen: Estimate
    refitted: Estimate
    loss: Estimate
    majority: float


def problem(examples: Examples, label: str, seed: int) -> Problem:
    """The task of telling the words' labels, over all words of the texts."""
    return problem_of(to_score(examples, task(label), "drop"), examples, seed)


def fitted(problem: Problem, activations: Activations, levels: Sequence[Level], title: str) -> dict[Level, LinearProbe]:
    """A probe for every level of one model."""
    fits = Fitting(method=METHODS["ridge"], problem=problem)(activations, levels, title)
    return {fit.level: fit.probe for fit in fits}


def right(problem: Problem, activations: Activations, at: Level, probe: LinearProbe) -> Bool[np.ndarray, " test"]:
    """Which test words a probe gets right on a level's states, wherever it was trained; in double precision."""
    rows = activations.level(at.hook_name)[problem.activation_rows("test")].double()
    logits = rows @ probe.weight.double().T + probe.bias.double()
    return logits.argmax(1).numpy() == problem.of("test", problem.labels)


def probed(
    problem: Problem,
    source: Bool[np.ndarray, " test"],
    frozen: Bool[np.ndarray, " test"],
    refitted: Bool[np.ndarray, " test"],
    draws: int,
    seed: int,
) -> ProbeDrift:
    """What the answers come to."""
    clusters = problem.clusters("test")
    tallies = [mean_of(answers.astype(float), clusters, 0, 1) for answers in (source, frozen, refitted)]
    own, still, again = (estimate(tally, draws, seed) for tally in tallies)
    most = np.bincount(problem.of("train", problem.labels)).argmax()
    return ProbeDrift(
        source=own,
        frozen=still,
        refitted=again,
        loss=difference(tallies[2], tallies[1], draws, seed),
        majority=float((problem.of("test", problem.labels) == most).mean()),
    )

"""`Findings`: what a probe study has measured, before it is put into words, tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Activations
from latentmech.probe.fitting import LevelFit
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.problem import Problem
from latentmech.probe.scores import evaluate, metric_of
from latentmech.statistics import Estimate, not_worse_than_best

Scores = Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Somebody's answers on a split, and what they are worth."""

    predicted: Int[np.ndarray, " row"]
    scores: Scores


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything measured.

    Attributes:
        fits: the task's probes, embedding first.
        dev: scores of each fit on dev.
        best: index in `fits` of the block chosen on dev.
        equals: indices of the fits not shown to be worse than the best of all levels on dev.
        test: answers on test by who gives them: `probe`, `embed`, `random_init`, `majority`, `lookup`, ...
        controls: per control labelling, its name and its test accuracy at the best block.
        twin: the same for the random-init twin; empty if switched off.
    """

    problem: Problem
    fits: Sequence[LevelFit]
    dev: Sequence[Scores]
    best: int
    equals: Sequence[int]
    test: Mapping[str, Answers]
    baselines_dev: Mapping[str, Scores]
    controls: Sequence[tuple[str, Estimate]] = ()
    twin: Sequence[LevelFit] = ()
    twin_dev: Sequence[Scores] = ()
    twin_best: int = 0
    subsets: Mapping[str, Scores] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The score by which layers were chosen."""
        return metric_of(self.problem.n_classes)


def dev_scores(problem: Problem, fits: Sequence[LevelFit], draws: int) -> list[Scores]:
    """Scores of every level on dev."""
    labels, clusters = problem.of("dev", problem.labels), problem.clusters("dev")
    return [evaluate(f.dev_predicted, labels, clusters, problem.n_classes, f.dev_margin, draws) for f in fits]


def best_block(fits: Sequence[LevelFit], scores: Sequence[Scores], metric: str) -> int:
    """Index of the block (not the embedding) with the highest dev score; the lower one of two equals."""
    blocks = [i for i, fit in enumerate(fits) if fit.level.layer is not None]
    return max(blocks, key=lambda i: scores[i][metric].value)


def equal_levels(problem: Problem, fits: Sequence[LevelFit], draws: int) -> list[int]:
    """Levels not shown to be worse than the best, by paired right and wrong answers on dev."""
    labels = problem.of("dev", problem.labels)
    right = np.stack([fit.dev_predicted == labels for fit in fits]).astype(float)
    return not_worse_than_best(right, problem.clusters("dev"), draws)


def answers_on_test(
    problem: Problem, activations: Activations, probe: LinearProbe, draws: int, labels: np.ndarray | None = None
) -> Answers:
    """Read the test rows of the probe's level, once, and score its answers.

    Args:
        labels: of every unit; default the task's own, else those of a control labelling.
    """
    logits = logits_on_test(problem, activations.level(probe.hook_name), probe)
    truth = problem.of("test", problem.labels if labels is None else labels)
    margin = logits[:, -1] - logits[:, 0]
    predicted = logits.argmax(1)
    scores = evaluate(predicted, truth, problem.clusters("test"), problem.n_classes, margin, draws)
    return Answers(predicted=predicted, scores=scores)


def logits_on_test(
    problem: Problem, level: Float[Tensor, "row d_model"], probe: LinearProbe
) -> Float[np.ndarray, "part class"]:
    """Logits of a level's test rows, in double precision: some dimensions are thousands of times larger than others."""
    rows = level[problem.activation_rows("test")].double()
    return (rows @ probe.weight.double().T + probe.bias.double()).numpy()

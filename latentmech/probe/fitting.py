"""Probes for every level: one pass over the activations, everything that shares a level's rows done at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from latentmech.activations import Activations, JointMoments
from latentmech.model import Level
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.methods import FitMethod
from latentmech.probe.online_code import online_code
from latentmech.probe.problem import Problem
from latentmech.probe.sample import Sample, side_by_side
from latentmech.probe.scores import Score, metric_of, score_logits
from latentmech.probe.solution import Fit, Solution, Targets


@dataclass(frozen=True, kw_only=True)
class LevelFit:
    """What was learned at one level.

    Attributes:
        probe: the task's probe, in the model's coordinates.
        strength: its penalty, chosen on dev.
        dev_predicted: its answers on dev.
        dev_margin: on dev, the last class's logit minus the first's (for two classes).
        controls: a probe for each control labelling, fitted with the same strength.
        control_dev: their accuracy on dev.
        code_bits: online code length of the training labels; NaN if it was not asked for.
    """

    level: Level
    probe: LinearProbe
    strength: float
    dev_predicted: Int[np.ndarray, " dev"]
    dev_margin: Float[np.ndarray, " dev"]
    controls: tuple[LinearProbe, ...]
    control_dev: tuple[float, ...]
    code_bits: float

    @property
    def columns(self) -> dict[str, Any]:
        """Where it belongs, as columns of a tidy row."""
        return {"layer": self.level.layer, "strength": self.strength}


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How to fit: settings that hold for every level.

    Attributes:
        controls: labels of every unit for each control labelling, in place of the task's own.
        with_code: compute the online code length (logistic regression only).
        memory_gib: levels are fitted side by side as long as their rows stay below this.
        moments: of the training rows by hook point, where only those of dev and test were kept.
        metric: the score by which strengths are chosen; default AUROC for two classes and accuracy for more.
    """

    method: FitMethod
    problem: Problem
    controls: Sequence[Int[np.ndarray, " unit"]] = ()
    class_weight: str | None = None
    with_code: bool = False
    memory_gib: float = 1.0
    moments: Mapping[str, JointMoments] | None = None
    metric: str | None = None

    def __call__(self, activations: Activations, levels: Sequence[Level], title: str) -> list[LevelFit]:
        """Fit every level, in order of depth: as many side by side as there are threads and room for."""
        n = sum(len(self.problem.index[split]) for split in ("train", "dev"))
        room = int(self.memory_gib * 2**30 / (n * activations.d_model * 4))
        with tqdm(total=len(levels), desc=title, unit="level", leave=False) as bar:

            def one_level(level: Level) -> LevelFit:
                rows = activations.level(level.hook_name)
                moments = None if self.moments is None else self.moments[level.hook_name]
                fit = self.on(self.problem.sample(rows, moments), level)
                bar.update()
                return fit

            return side_by_side(one_level, levels, max(1, room))

    def on(self, sample: Sample, level: Level) -> LevelFit:
        """Fit a level whose sample is made of the problem's train and dev rows."""
        problem = self.problem
        train, dev = (problem.of(split, problem.labels) for split in ("train", "dev"))
        targets = Targets(torch.from_numpy(train)[None], problem.n_classes)
        weighted = targets.balanced() if self.class_weight == "balanced" else targets
        score = score_logits(dev, self.metric or metric_of(problem.n_classes))
        chosen = choose_strength(self.method.fit, sample, weighted, self.method.path, score, torch.from_numpy(dev))
        controls, control_dev = self._controls(sample, level, chosen.strengths)
        logits = chosen.solution.logits(sample.dev)
        return LevelFit(
            level=level, probe=self._probe(chosen.solution, sample, level), strength=float(chosen.strengths),
            dev_predicted=logits.argmax(1).numpy(), dev_margin=(logits[:, -1] - logits[:, 0]).numpy(),
            controls=controls, control_dev=control_dev,
            code_bits=online_code(sample, targets.labels[0], problem.n_classes) if self.with_code else float("nan"),
        )  # fmt: skip

    def _controls(
        self, sample: Sample, level: Level, strength: Float[Tensor, "1"]
    ) -> tuple[tuple[LinearProbe, ...], tuple[float, ...]]:
        """A probe for every control labelling, all solved together, and its accuracy on dev."""
        if not self.controls:
            return (), ()
        train, dev = (np.stack([self.problem.of(split, one) for one in self.controls]) for split in ("train", "dev"))
        targets = Targets(torch.from_numpy(train), self.problem.n_classes, first=1)
        solution = self.method.fit_loosely(sample, targets, strength.expand(len(train)))
        predicted = [solution.logits(sample.dev, i).argmax(1).numpy() for i in range(len(train))]
        probes = tuple(self._probe(solution, sample, level, i) for i in range(len(train)))
        return probes, tuple((np.stack(predicted) == dev).mean(1).tolist())

    def _probe(self, solution: Solution, sample: Sample, level: Level, number: int = 0) -> LinearProbe:
        weight, bias = solution.in_model_coordinates(sample, number)
        return LinearProbe(weight, bias, self.problem.classes, level.hook_name, level.layer)


@dataclass(frozen=True)
class Chosen:
    """The solution of one problem that the development part likes best.

    Attributes:
        strengths: where on the path it lies.
        score: on the development part.
    """

    solution: Solution
    strengths: Float[Tensor, "1"]
    score: Float[Tensor, ""]


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
    best: Chosen | None = None
    solution, least = None, torch.tensor(torch.inf)
    for strength in path:
        solution = fit(sample, targets, torch.tensor([strength]), solution)
        logits = solution.logits(sample.dev)
        reached, nats = torch.tensor(score(logits)), torch.nn.functional.cross_entropy(logits, dev)
        if best is None or reached > best.score:
            best = Chosen(solution, torch.tensor([strength]), reached)
        elif not nats < least:
            break
        least = torch.minimum(nats, least)
    assert best is not None
    return best

"""Probes for every level: one pass over the activations, everything that shares a level's rows done at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from latentmech.activations import Activations
from latentmech.model import Level
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.methods import FitMethod
from latentmech.probe.online_code import online_code
from latentmech.probe.path import Chosen, choose_strength
from latentmech.probe.problem import Problem
from latentmech.probe.sample import Sample, sample_of_level, side_by_side
from latentmech.probe.scores import metric_of, score_logits
from latentmech.probe.solution import Solution


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


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How to fit: settings that hold for every level.

    Attributes:
        controls: labels of every unit for each control labelling, in place of the task's own.
        with_code: compute the online code length (logistic regression only).
        memory_gib: levels are fitted side by side as long as their rows stay below this.
        metric: the score by which strengths are chosen; default AUROC for two classes and accuracy for more.
    """

    method: FitMethod
    problem: Problem
    controls: Sequence[Int[np.ndarray, " unit"]] = ()
    class_weight: str | None = None
    with_code: bool = False
    memory_gib: float = 1.0
    metric: str | None = None

    def __call__(self, activations: Activations, levels: Sequence[Level], title: str) -> list[LevelFit]:
        """Fit every level, in order of depth: as many side by side as there are threads and room for."""
        train, dev = self.problem.activation_rows("train"), self.problem.activation_rows("dev")
        room = int(self.memory_gib * 2**30 / ((len(train) + len(dev)) * activations.d_model * 4))
        with tqdm(total=len(levels), desc=title, unit="level", leave=False) as bar:

            def one_level(level: Level) -> LevelFit:
                sample = sample_of_level(activations.level(level.hook_name), train, dev)
                fit = self.on(sample, [level])[0]
                bar.update()
                return fit

            return side_by_side(one_level, levels, max(1, room))

    def on(self, sample: Sample, levels: Sequence[Level]) -> list[LevelFit]:
        """Fit the levels of a sample that is made of the problem's train and dev rows."""
        problem = self.problem
        targets = torch.from_numpy(problem.of("train", problem.labels))[None]
        score = score_logits(problem.of("dev", problem.labels), self.metric or metric_of(problem.n_classes))
        weights = class_weights(targets, problem.n_classes) if self.class_weight == "balanced" else None
        path, truth = self.method.path, torch.from_numpy(problem.of("dev", problem.labels))
        chosen = choose_strength(self.method.fit, sample, targets, problem.n_classes, path, score, truth, weights)
        controls = self._controls(sample, chosen)
        bits = self._code(sample, targets[0])
        return [self._level_fit(sample, chosen, controls, float(bits[i]), i, level) for i, level in enumerate(levels)]

    def _controls(self, sample: Sample, chosen: Chosen) -> Solution | None:
        """Every control labelling at every level, all solved together."""
        if not self.controls:
            return None
        train = np.stack([self.problem.of("train", labels) for labels in self.controls])
        strengths = chosen.strengths[:, None].expand(-1, len(train))
        return self.method.fit_loosely(sample, torch.from_numpy(train), self.problem.n_classes, strengths)

    def _code(self, sample: Sample, targets: Int[Tensor, " row"]) -> Float[Tensor, " level"]:
        if not self.with_code:
            return torch.full((sample.n_levels,), float("nan"))
        return online_code(sample, targets, self.problem.n_classes)

    def _level_fit(
        self, sample: Sample, chosen: Chosen, controls: Solution | None, bits: float, index: int, level: Level
    ) -> LevelFit:
        def probe(solution: Solution, number: int = 0) -> LinearProbe:
            weight, bias = solution.in_model_coordinates(sample, index, number)
            return LinearProbe(weight, bias, self.problem.classes, level.hook_name, level.layer)

        logits = chosen.solution.logits(sample.dev[index], index)
        return LevelFit(
            level=level,
            probe=probe(chosen.solution),
            strength=float(chosen.strengths[index]),
            dev_predicted=logits.argmax(1).numpy(),
            dev_margin=(logits[:, -1] - logits[:, 0]).numpy(),
            controls=tuple(probe(controls, i) for i in range(len(self.controls))) if controls else (),
            control_dev=tuple(self._control_dev(sample, controls, index)) if controls else (),
            code_bits=bits,
        )

    def _control_dev(self, sample: Sample, controls: Solution, index: int) -> Iterator[float]:
        for number, labels in enumerate(self.controls):
            predicted = controls.logits(sample.dev[index], index, number).argmax(1).numpy()
            yield float((predicted == self.problem.of("dev", labels)).mean())


def class_weights(targets: Int[Tensor, "problem row"], n_classes: int) -> Float[Tensor, "problem row"]:
    """Row weights that give every class the same sum, mean 1 over rows (scikit-learn's `balanced`)."""
    counts = torch.nn.functional.one_hot(targets, n_classes).sum(1).clamp(min=1).float()
    weights = (1 / counts).gather(1, targets)
    return weights / weights.mean(1, keepdim=True)

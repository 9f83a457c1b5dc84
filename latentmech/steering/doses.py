"""`Doses`: the numbers of a sweep as its report needs them."""

from typing import TYPE_CHECKING

import numpy as np

from latentmech.statistics import Estimate, bootstrap_mean
from latentmech.steering.sweep import slopes

if TYPE_CHECKING:
    from latentmech.steering.study import Measured, SteeringStudy


class Doses:
    """The numbers of a sweep as the report needs them."""

    def __init__(self, study: "SteeringStudy", found: "Measured"):
        self.study, self.found, self.sweep = study, found, found.sweep
        self.strengths = [float(s) for s in found.strengths]
        self.clean = self.sweep.clean
        groups = np.array(found.trials.groups, dtype=object)
        self.clusters = np.unique(groups, return_inverse=True)[1]
        self.effect = self.sweep.own.effect(self.clean)
        self.random = np.array([dose.effect(self.clean) for dose in self.sweep.random])
        self.kl = self.sweep.drift.kl.double().mean(1).numpy()
        self.loss = self.sweep.drift.log_loss.double().mean(1).numpy()

    def estimate(self, values: np.ndarray) -> Estimate:
        """Mean over prompts with an interval over their groups."""
        return bootstrap_mean(values, self.clusters, self.study.draws)

    def null(self, at: int) -> tuple[float, float]:
        """The smallest and the largest effect of a random direction at a strength."""
        column = self.random[:, at] if len(self.random) else np.array([np.nan])
        return float(column.min()), float(column.max())

    def beats_null(self, at: int) -> bool:
        """Whether the direction's effect lies beyond that of every random direction, in size."""
        return len(self.random) > 0 and bool(abs(self.effect[at]) > np.abs(self.random[:, at]).max())

    def slope(self) -> np.ndarray:
        """Per prompt, nats per unit of strength."""
        return slopes(self.sweep.own.score, self.strengths)

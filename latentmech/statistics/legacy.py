# mypy: ignore-errors
"""Old names while rooms move to tallies; goes when the last one has moved."""

import numpy as np

from latentmech.statistics.confidence_set import confidence_set
from latentmech.statistics.estimate import Estimate
from latentmech.statistics.interval import estimate
from latentmech.statistics.tally import Tally, mean_of


def bootstrap_mean(values, clusters, n_draws=1000, seed=0) -> Estimate:  # noqa: D103
    return estimate(mean_of(values, clusters), n_draws, seed)


def bootstrap_means(values, clusters, n_draws=1000, seed=0) -> list[Estimate]:  # noqa: D103
    return [bootstrap_mean(row, clusters, n_draws, seed) for row in values]


def bootstrap(statistic, clusters, n_draws=1000, seed=0) -> Estimate:  # noqa: D103
    def by(w):
        return np.array([statistic(row[clusters]) for row in w])

    return estimate(Tally(by, len(clusters), int(clusters.max()) + 1, -np.inf, np.inf), n_draws, seed)


def not_worse_than_best(scores, clusters, n_draws=1000, seed=0) -> list[int]:  # noqa: D103
    return confidence_set([mean_of(row, clusters) for row in scores], n_draws, seed) or []

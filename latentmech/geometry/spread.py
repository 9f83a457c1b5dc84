"""One number from several seeds: their mean, with the smallest and the largest beside it."""

from collections.abc import Mapping, Sequence

import numpy as np

from latentmech.statistics import Estimate


def over_seeds(scores: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Name -> mean, minimum and maximum over the seeds that have a number there; `n` is how many.

    With a handful of seeds the range is the honest interval: it claims no distribution.
    """
    return {name: _estimate([score[name] for score in scores]) for name in scores[0]}


def _estimate(values: Sequence[float]) -> Estimate:
    known = [float(value) for value in values if np.isfinite(value)]
    if not known:
        return Estimate(float("nan"))
    return Estimate(float(np.mean(known)), min(known), max(known), len(known))

"""`Estimate`: a number, what lies around it, and what kind of thing that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

INTERVAL, RANGE, BOUND = "95% interval", "range", "exact bound"
NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A number with what lies around it.

    Attributes:
        ci_low: lower end; NaN where there is none.
        ci_high: upper end.
        n: rows behind the number.
        groups: what was resampled or left out whole, such as documents; 0 where nothing was.
        kind: of the ends: `95% interval`, `range` (smallest and largest of some seeds), `exact bound` (of a perfect
            score), or empty where there are none.
    """

    value: float
    ci_low: float = NAN
    ci_high: float = NAN
    n: int = 0
    groups: int = 0
    kind: str = ""

    def __format__(self, spec: str) -> str:
        """`0.947 [0.939, 0.956]`, every number by `spec`; the number alone where it has no ends."""
        spec = spec or ".3f"
        text = format(self.value, spec)
        return f"{text} [{self.ci_low:{spec}}, {self.ci_high:{spec}}]" if self.kind else text

    def cells(self, name: str, low: str = "", high: str = "") -> dict[str, float]:
        """As columns of a table: `name`, and its ends under `low` and `high` (default `name low`, `name high`)."""
        return {name: self.value, low or f"{name} low": self.ci_low, high or f"{name} high": self.ci_high}


def over_seeds(values: Iterable[float], groups: int = 0) -> Estimate:
    """Mean of a number that several seeds gave, with the smallest and the largest; `n` counts the seeds that have one.

    With a handful of seeds the range is the honest interval: it claims no distribution.
    """
    known = [float(value) for value in values if np.isfinite(value)]
    if not known:
        return Estimate(NAN)
    return Estimate(float(np.mean(known)), min(known), max(known), len(known), groups, RANGE)


def clusters_of(groups: Sequence[object] | np.ndarray) -> Int[np.ndarray, " row"]:
    """Groups as numbers from 0; what is equal is one group."""
    return np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1].astype(np.int64)

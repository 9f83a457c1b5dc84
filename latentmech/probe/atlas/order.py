"""Whether syntax comes early, semantics in the middle and output late.

So Tenney et al. (2019, "BERT rediscovers the classical NLP pipeline") found it in BERT, by the layer at
which a task's score is expected to rise. Here, with G_k the largest gain over the baseline up to
depth k (0 the embedding, 1 the last block that was measured; no gain counts as 0), a task arrives at

    sum_k k (G_k - G_(k-1)) / G_last

which is 0 for what the embedding holds already. The peak says less: many tasks end in a plateau, and its top is luck.
A stage arrives at the mean of its rows'. The order holds if each stage arrives after the one before in 95 % of the
draws of dev documents, pair by pair. Tasks that gain nothing on test have not arrived and are left out. A noisy curve
goes on rising by luck, so a task with few rows seems to arrive later than it does; its interval is wide for the same
reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from latentmech.probe.atlas.row import AtlasRow, depth
from latentmech.statistics import Estimate

ORDER = ("syntax", "semantics", "output")
SURE = 0.95


@dataclass(frozen=True)
class Stage:
    """Where a stage arrives, and the tasks that say so."""

    name: str
    tasks: tuple[str, ...]
    arrival: Estimate
    draws: Float[np.ndarray, " draw"]


def has_arrived(row: AtlasRow) -> bool:
    """Whether a task gains over its baseline on test, beyond its interval, and anywhere on dev."""
    return row.gain.ci_low > 0 and bool((row.gains > 0).any())


def arrival(row: AtlasRow) -> Estimate:
    """Where a task's gain appears; NaN for one that has not arrived."""
    if not has_arrived(row):
        return Estimate(float("nan"))
    return _estimate(float(_arrivals(row, row.gains[None])[0]), _arrivals(row, row.gain_draws))


def stages(rows: Sequence[AtlasRow]) -> list[Stage]:
    """The stages that have a task which has arrived, in the order of the claim."""
    found = []
    for name in ORDER:
        tasks = [row for row in rows if row.stage == name and has_arrived(row)]
        if tasks:
            value = float(np.mean([arrival(row).value for row in tasks]))
            draws = np.mean([_arrivals(row, row.gain_draws) for row in tasks], axis=0)
            found.append(Stage(name, tuple(row.name for row in tasks), _estimate(value, draws), draws))
    return found


def order_in_words(rows: Sequence[AtlasRow]) -> str:
    """Whether the claim holds for this model."""
    found, claim = stages(rows), "“Syntax early, semantics in the middle, output late”"
    seen = [f"{s.name} {s.arrival.value:.2f} [{s.arrival.ci_low:.2f}, {s.arrival.ci_high:.2f}]" for s in found]
    depths = f" Mean depth of arrival, 0 the embedding and 1 the last block: {'; '.join(seen)}." if seen else ""
    if len(found) < len(ORDER):
        missing = ", ".join(name for name in ORDER if name not in [s.name for s in found])
        return f"{claim} cannot be told here: no task of {missing} gains over its baseline.{depths}"
    failed = [f"{b.name} does not clearly come after {a.name}" for a, b in pairwise(found) if not after(a, b)]
    if failed:
        return f"{claim} does not hold for this model: {', and '.join(failed)}.{depths}"
    return f"{claim} holds for this model, as an order.{depths}"


def after(earlier: Stage, later: Stage) -> bool:
    """Whether `later` arrives deeper in 95 % of the draws."""
    return float(np.mean(later.draws > earlier.draws)) >= SURE


def _arrivals(row: AtlasRow, gains: Float[np.ndarray, "draw level"]) -> Float[np.ndarray, " draw"]:
    """NaN for a draw in which no level gains."""
    depths = np.array([depth(level) for level in row.levels]) / max(depth(row.levels[-1]), 1)
    risen = np.maximum.accumulate(gains.clip(min=0), axis=1)
    steps, last = np.diff(risen, axis=1, prepend=0), risen[:, -1]
    return np.where(last > 0, steps @ depths / np.maximum(last, 1e-12), np.nan)


def _estimate(value: float, draws: Float[np.ndarray, " draw"]) -> Estimate:
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Estimate(value, float(low), float(high))

"""Where in a model a task's gain over the words appears.

Tenney et al. (2019, "BERT rediscovers the classical NLP pipeline") place a task at the layer at which its score is
expected to rise. Here, with G_k the largest gain up to depth k (0 the embedding, 1 the last block that was measured; no
gain counts as 0), a task arrives at

    sum_k k (G_k - G_(k-1)) / G_last

which is 0 for what the embedding holds already. The peak says less: many tasks end in a plateau, and its top is luck.
A noisy curve goes on rising by luck, so a task with few rows seems to arrive later than it does; its interval is wide
for the same reason.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from latentmech.model import Level
from latentmech.statistics import Tally


def arrival_of(levels: Sequence[Level], scores: Sequence[Tally], baseline: Tally) -> Tally:
    """Where the gain of the levels over a baseline appears, as a score of its own: from 0 to 1.

    Args:
        scores: of each level, on the same rows as the baseline's.
    """

    def by(w: Float[np.ndarray, "draw group"]) -> Float[np.ndarray, " draw"]:
        return arrivals(levels, np.stack([score.by(w) for score in scores], axis=1) - baseline.by(w)[:, None])

    return Tally(by, baseline.n, baseline.groups)


def arrivals(levels: Sequence[Level], gains: Float[np.ndarray, "draw level"]) -> Float[np.ndarray, " draw"]:
    """The formula, draw by draw; NaN for a draw in which no level gains."""
    depths = np.array([depth(level) for level in levels]) / max(depth(levels[-1]), 1)
    risen = np.maximum.accumulate(gains.clip(min=0), axis=1)
    steps, last = np.diff(risen, axis=1, prepend=0), risen[:, -1]
    return np.where(last > 0, steps @ depths / np.maximum(last, 1e-12), np.nan)


def mean_arrival(tasks: Sequence[tuple[Tally, Sequence[str]]], documents: Sequence[str]) -> Tally:
    """The mean over several tasks, which may be read from different documents, as a score of all documents.

    Args:
        tasks: each task's arrival, and the documents that its groups are, in their order.
        documents: sorted; those of all tasks are among them.
    """
    places = [np.searchsorted(documents, own) for _, own in tasks]

    def by(w: Float[np.ndarray, "draw group"]) -> Float[np.ndarray, " draw"]:
        return np.mean([tally.by(w[:, place]) for (tally, _), place in zip(tasks, places, strict=True)], axis=0)

    return Tally(by, sum(tally.n for tally, _ in tasks), len(documents))


def depth(level: Level) -> int:
    """0 is the embedding, k the output of block k - 1."""
    return 0 if level.layer is None else level.layer + 1

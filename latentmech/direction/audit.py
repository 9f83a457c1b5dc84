"""The saved direction on test, read once, beside what the surface gives away: on all texts and on matched ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latentmech.direction.direction import unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.sample import Parts, Rows, Scores
from latentmech.direction.surface import matched, surface_of
from latentmech.statistics import Estimate, auroc_of, clusters_of, estimate

DIRECTION, FROM_MATCHED = "direction", "direction_from_matched"
FEWEST = 20  # matched train texts below which no direction is fitted on them


@dataclass(frozen=True)
class ReaderScore:
    """AUROC on test of one reader, on all texts and on matched ones (NaN where too few match)."""

    raw: Estimate
    matched: Estimate


@dataclass(frozen=True, eq=False)
class Audit:
    """Readers of test by name, the direction first; its projections of the test rows; how many test texts matched."""

    readers: dict[str, ReaderScore]
    scores: Scores
    n_matched: int

    @property
    def test(self) -> Estimate:
        """The direction on all test texts."""
        return self.readers[DIRECTION].raw


def audit(
    method: DirectionMethod, texts: Sequence[str], parts: Parts, rows: Rows, vector: Float[Tensor, " d_model"],
    draws: int, seed: int,
) -> Audit:  # fmt: skip
    """Read test once with everything that wants to read it, by rows and vector of the chosen place."""
    train, test = parts.within("train"), parts.within("test")
    learned, asked = [texts[i] for i in train], [texts[i] for i in test]
    alike, kept = train[matched(learned, parts.truth("train"), seed)], matched(asked, parts.truth("test"), seed)
    truth, clusters = parts.truth("test"), parts.group[test]

    def on(scores: Scores, places: np.ndarray) -> Estimate:
        if not len(places):
            return Estimate(float("nan"))
        return estimate(auroc_of(scores[places], truth[places], clusters_of(clusters[places])), draws)

    own = (rows[test] @ vector).double().numpy()
    scores = {DIRECTION: own}
    if len(alike) >= FEWEST and (len(parts.sample(rows, alike).pairs) or not len(parts.partners)):
        scores[FROM_MATCHED] = (rows[test] @ unit(method(parts.sample(rows, alike)))).double().numpy()
    scores |= surface_of(learned, parts.truth("train"), asked)
    every = np.arange(len(test))
    readers = {name: ReaderScore(on(read, every), on(read, kept)) for name, read in scores.items()}
    return Audit(readers, own, len(kept))

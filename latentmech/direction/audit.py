"""The saved direction on test, read once, beside what the surface gives away: on all texts and on matched ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.direction.direction import unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.parts import Parts, Places, Rows, Scores
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
    """What stands in the table of the test set.

    Attributes:
        readers: the direction, the direction refitted on matched train texts, and surface readers, by name.
        scores: projections of the test rows.
        n_matched: how many test texts matched.
    """

    readers: dict[str, ReaderScore]
    scores: Scores
    n_matched: int

    @property
    def test(self) -> Estimate:
        """The direction on all test texts."""
        return self.readers[DIRECTION].raw


def audit(
    method: DirectionMethod,
    texts: Sequence[str],
    parts: Parts,
    rows: Rows,
    vector: Float[Tensor, " d_model"],
    *,
    draws: int,
    seed: int,
) -> Audit:
    """Read test once with everything that wants to read it.

    Args:
        texts: what can be seen of each text.
        rows: at the chosen place.
        vector: what was found there.
    """
    train, test = parts.within("train"), parts.within("test")
    kept = matched([texts[i] for i in test], parts.truth("test"), seed)
    judge = _Judge(parts, test, kept, draws)
    own = _projected(rows[test], vector)
    found = {DIRECTION: judge(own)}
    if (again := _refitted(method, parts, rows, texts, seed)) is not None:
        found[FROM_MATCHED] = judge(_projected(rows[test], again))
    surface = surface_of([texts[i] for i in train], parts.truth("train"), [texts[i] for i in test])
    found |= {name: judge(scores) for name, scores in surface.items()}
    return Audit(found, own, len(kept))


@dataclass(frozen=True, eq=False)
class _Judge:
    """Turns scores of the test rows into a `ReaderScore`."""

    parts: Parts
    test: Places
    kept: Int[np.ndarray, " kept"]
    draws: int

    def __call__(self, scores: Scores) -> ReaderScore:
        return ReaderScore(self._on(scores, np.arange(len(self.test))), self._on(scores, self.kept))

    def _on(self, scores: Scores, places: Int[np.ndarray, " kept"]) -> Estimate:
        if not len(places):
            return Estimate(float("nan"))
        truth, clusters = self.parts.truth("test")[places], clusters_of(self.parts.group[self.test[places]])
        return estimate(auroc_of(scores[places], truth, clusters), self.draws)


def _projected(rows: Rows, vector: Float[Tensor, " d_model"]) -> Scores:
    return (rows @ vector).double().numpy()


def _refitted(
    method: DirectionMethod, parts: Parts, rows: Rows, texts: Sequence[str], seed: int
) -> Float[Tensor, " d_model"] | None:
    """The same method at the same place on train texts that match each other; None where too few do."""
    train = parts.within("train")
    kept = train[matched([texts[i] for i in train], parts.truth("train"), seed)]
    enough = len(kept) >= FEWEST and (len(parts.sample(rows, kept).pairs) or not len(parts.partners))
    return unit(method(parts.sample(rows, kept))) if enough else None

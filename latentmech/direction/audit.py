"""The chosen direction on test, beside what the surface of the texts and chance can do: on raw and on matched texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.data import Contrast
from latentmech.direction.candidates import DirectionCandidate, random_directions
from latentmech.direction.direction import unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.parts import Parts, Rows
from latentmech.direction.surface import matched, surface_of, visible
from latentmech.statistics import Estimate, auroc, aurocs, bootstrap, folded


@dataclass(frozen=True)
class ReaderScore:
    """AUROC on test of one reader, on all texts and on matched ones (NaN where too few match)."""

    name: str
    raw: Estimate
    matched: Estimate


@dataclass(frozen=True)
class Audit:
    """What stands in the table of the test set.

    Attributes:
        readings: the direction first, then the direction refitted on matched train texts, then surface features.
        random: AUROC of random directions, whichever sign, on all test texts.
        random_matched: the same on matched ones.
        n_matched: how many test texts matched.
    """

    readings: tuple[ReaderScore, ...]
    random: Float[np.ndarray, " draw"]
    random_matched: Float[np.ndarray, " draw"]
    n_matched: int

    @property
    def test(self) -> Estimate:
        """The direction on all test texts."""
        return self.readings[0].raw


def audit(
    method: DirectionMethod,
    contrast: Contrast,
    parts: Parts,
    rows: Rows,
    best: DirectionCandidate,
    *,
    random_draws: int,
    draws: int,
    seed: int,
) -> Audit:
    """Read test once with everything that wants to read it."""
    texts = visible(contrast.joint)
    train, test = parts.within("train"), parts.within("test")
    kept = matched([texts[i] for i in test], parts.truth("test"), seed)
    judge = _Judge(parts, test, kept, draws)
    at_random = (rows[test] @ random_directions(random_draws, rows.shape[1], seed).T).double().numpy()
    readings = [judge("direction", best.test_scores), *_refitted(method, parts, rows, texts, seed, judge)]
    surface = surface_of([texts[i] for i in train], parts.truth("train"), [texts[i] for i in test])
    readings += [judge(name, scores) for name, scores in surface.items()]
    truth = parts.truth("test")
    return Audit(
        readings=tuple(readings),
        random=folded(aurocs(at_random, truth)) if random_draws else np.empty(0),
        random_matched=folded(aurocs(at_random[kept], truth[kept])) if random_draws and len(kept) else np.empty(0),
        n_matched=len(kept),
    )


@dataclass(frozen=True)
class _Judge:
    """Turns scores of the test rows into a `ReaderScore`."""

    parts: Parts
    test: Int[np.ndarray, " row"]
    kept: Int[np.ndarray, " kept"]
    draws: int

    def __call__(self, name: str, scores: Float[np.ndarray, " row"]) -> ReaderScore:
        everything = np.arange(len(self.test))
        return ReaderScore(name, self._on(scores, everything), self._on(scores, self.kept))

    def _on(self, scores: Float[np.ndarray, " row"], places: Int[np.ndarray, " kept"]) -> Estimate:
        if not len(places):
            return Estimate(float("nan"))
        truth = self.parts.truth("test")[places]
        clusters = np.unique(self.parts.group[self.test[places]], return_inverse=True)[1]
        return bootstrap(lambda w: auroc(scores[places], truth, w), clusters, self.draws)


def _refitted(
    method: DirectionMethod, parts: Parts, rows: Rows, texts: Sequence[str], seed: int, judge: _Judge
) -> Iterator[ReaderScore]:
    """The same method at the same place on train texts that match each other; left out where too few do."""
    train = parts.within("train")
    kept = train[matched([texts[i] for i in train], parts.truth("train"), seed)]
    sample = parts.sample(rows, kept)
    if len(kept) < 20 or not (len(sample.pairs) or not len(parts.partners)):
        return
    vector = unit(method(sample))
    yield judge("direction_from_matched", (rows[parts.within("test")] @ vector).double().numpy())

"""What a direction is worth: left-out topics, beside everything that lacks what it is said to have found.

Rivals that score each text (surface readers, the embedding, which has no context) leave out the same folds and are
compared pair by pair. Null directions are compared with the AUROC that the study's method reaches at the chosen place,
leaving the same folds out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from latentmech.data import SURFACE
from latentmech.direction.candidates import DirectionCandidate, best_places
from latentmech.direction.folds import Fold, scores_left_out, surface_left_out
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.nulls import read_at_best
from latentmech.direction.parts import Parts, Rows, Scores
from latentmech.statistics import Estimate, Lead, Tally, auroc, auroc_of, estimate, leads, p_value

EMBEDDING = "embedding"
READERS = SURFACE | {EMBEDDING: "embedding"}
NULLS = {
    "random": "random directions",
    "covariance": "random directions drawn from the states",
    "exchanged": "exchanged labels",
}


@dataclass(frozen=True, eq=False)
class NullReading:
    """What null directions read, each at the place that dev likes best; and how often they reach what was seen.

    Attributes:
        values: AUROC on all texts.
        p: of what was seen; 1 where nothing could be seen.
    """

    values: Float[np.ndarray, " draw"]
    p: float

    @property
    def high(self) -> float:
        """Their 95th percentile."""
        return float(np.percentile(self.values, 95))


@dataclass(frozen=True, kw_only=True, eq=False)
class LeftOut:
    """The direction and its rivals on topics that they had not seen.

    Attributes:
        auroc: of the direction, its place chosen anew in each fold; NaN where nothing can be left out.
        at_place: the same at the study's own place throughout.
        places: the candidate that each fold chose.
        rivals: AUROC by the keys of `READERS`.
        leads: how far the direction is ahead of each, paired.
        nulls: by the keys of `NULLS`, as far as there are any.
    """

    auroc: Estimate
    at_place: float
    places: tuple[int, ...]
    rivals: Mapping[str, Estimate]
    leads: Mapping[str, Lead]
    nulls: Mapping[str, NullReading]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What is left out, and what is asked.

    Attributes:
        allowed: the candidates that may be chosen.
        rows_of: the rows of a candidate.
        texts: what can be seen of each text.
    """

    method: DirectionMethod
    parts: Parts
    folds: Sequence[Fold]
    exchanges: Sequence[Parts]
    candidates: Sequence[DirectionCandidate]
    allowed: Sequence[int]
    rows_of: Callable[[int], Rows]
    texts: Sequence[str]
    draws: int

    def __call__(self, chosen: int) -> LeftOut:
        """Leave out every fold, for everything that can be compared."""
        places = best_places([c.in_folds for c in self.candidates], self.allowed)
        at_place = self._auroc(self.parts, self._at(chosen))
        own, rivals = self._tally(self._chosen_anew(places)), self._rivals(chosen)
        ahead = leads(own, {READERS[name]: tally for name, tally in rivals.items()}, self.draws) if self.folds else []
        names = {READERS[name]: name for name in rivals}
        return LeftOut(
            auroc=estimate(own, self.draws),
            at_place=at_place,
            places=tuple(places),
            rivals={name: estimate(tally, self.draws) for name, tally in rivals.items()},
            leads={names[lead.rival]: lead for lead in ahead},
            nulls=self._nulls(at_place),
        )

    def _at(self, place: int) -> Scores:
        return scores_left_out(self.method, self.parts, self.rows_of(place), self.folds)

    def _chosen_anew(self, places: Sequence[int]) -> Scores:
        scores = np.full(len(self.parts.positive), np.nan)
        for place in set(places):
            own = [fold for fold, at in zip(self.folds, places, strict=True) if at == place]
            found = scores_left_out(self.method, self.parts, self.rows_of(place), own)
            scores = np.where(np.isnan(found), scores, found)
        return scores

    def _rivals(self, chosen: int) -> dict[str, Tally]:
        position = self.candidates[chosen].position
        scores = surface_left_out(self.texts, self.parts, self.folds)
        for place, candidate in enumerate(self.candidates):
            if candidate.level.layer is None and candidate.position == position:
                scores[EMBEDDING] = self._at(place)
        return {name: self._tally(own) for name, own in scores.items()}

    def _nulls(self, seen: float) -> dict[str, NullReading]:
        allowed = [self.candidates[place].drawn for place in self.allowed]
        values = {name: read_at_best([drawn[name] for drawn in allowed]) for name in allowed[0]}
        values["exchanged"] = self._exchanged()
        return {
            name: NullReading(found, p_value(seen, found) if np.isfinite(seen) else 1.0)
            for name, found in values.items()
            if len(found)
        }

    def _exchanged(self) -> Float[np.ndarray, " exchange"]:
        """AUROC under each exchange of the labels, at the place that it chooses."""
        places = best_places([c.exchanged for c in self.candidates], self.allowed)
        values = np.empty(len(places))
        for place in set(places):
            rows = self.rows_of(place)
            for i, parts in enumerate(self.exchanges):
                if places[i] == place:
                    values[i] = self._auroc(parts, scores_left_out(self.method, parts, rows, self.folds))
        return values

    def _auroc(self, parts: Parts, scores: Scores) -> float:
        return auroc(scores, parts.positive) if self.folds else float("nan")

    def _tally(self, scores: Scores) -> Tally:
        return auroc_of(scores, self.parts.positive, self.parts.group)

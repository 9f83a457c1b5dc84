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
from latentmech.direction.candidates import DirectionCandidate, NullPlan, best_places
from latentmech.direction.folds import scores_left_out, surface_left_out
from latentmech.direction.nulls import read_at_best
from latentmech.direction.sample import Rows, Scores
from latentmech.statistics import Estimate, Lead, Tally, auroc, auroc_of, estimate, leads, p_value

EMBEDDING = "embedding"
READERS = SURFACE | {EMBEDDING: "embedding"}
NULLS = {
    "random": "isotropic directions",
    "covariance": "covariance-drawn directions",
    "exchanged": "directions of exchanged labels",
}


@dataclass(frozen=True, eq=False)
class NullReading:
    """AUROC on all texts of null directions, and how often they reach what was seen (1 where nothing was)."""

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


def left_out(
    plan: NullPlan, candidates: Sequence[DirectionCandidate], chosen: int, allowed: Sequence[int],
    rows_of: Callable[[int], Rows], texts: Sequence[str], draws: int,
) -> LeftOut:  # fmt: skip
    """Leave out every fold, for everything that can be compared.

    Args:
        chosen: the candidate at the study's place.
        allowed: those that a fold or a null may choose.
        texts: what can be seen of each text.
    """
    parts, folds = plan.parts, plan.folds
    places = best_places([c.in_folds for c in candidates], allowed)
    scores = np.full(len(texts), np.nan)
    for place in set(places):
        mine = [fold for fold, at in zip(folds, places, strict=True) if at == place]
        here = scores_left_out(plan.method, parts, rows_of(place), mine)
        scores = np.where(np.isnan(here), scores, here)
    rivals = surface_left_out(texts, parts, folds)
    for place, candidate in enumerate(candidates):
        if folds and candidate.level.layer is None and candidate.position == candidates[chosen].position:
            rivals[EMBEDDING] = scores_left_out(plan.method, parts, rows_of(place), folds)
    at_place = _auroc(scores_left_out(plan.method, parts, rows_of(chosen), folds), parts.positive)
    nulls = {name: read_at_best([candidates[i].drawn[name] for i in allowed]) for name in candidates[0].drawn}
    nulls["exchanged"] = _exchanged(plan, candidates, allowed, rows_of)

    def tally(own: Scores) -> Tally:
        return auroc_of(own, parts.positive, parts.group)

    ahead = {name: leads(tally(scores), {READERS[name]: tally(own)}, draws)[0] for name, own in rivals.items()}
    return LeftOut(
        auroc=estimate(tally(scores), draws) if folds else Estimate(float("nan")),
        at_place=at_place, places=tuple(places),
        rivals={name: estimate(tally(own), draws) for name, own in rivals.items()},
        leads=dict(sorted(ahead.items(), key=lambda one: -one[1].value)),
        nulls={
            name: NullReading(values, p_value(at_place, values) if folds else 1.0)
            for name, values in nulls.items()
            if len(values) and np.isfinite(values).all()
        },
    )  # fmt: skip


def _exchanged(
    plan: NullPlan, candidates: Sequence[DirectionCandidate], allowed: Sequence[int], rows_of: Callable[[int], Rows]
) -> Float[np.ndarray, " exchange"]:
    """AUROC under each exchange of the labels, at the place that it chooses."""
    places = best_places([c.exchanged for c in candidates], allowed)
    values = np.empty(len(places))
    for place in set(places):
        rows = rows_of(place)
        for i, parts in enumerate(plan.exchanges):
            if places[i] == place:
                values[i] = _auroc(scores_left_out(plan.method, parts, rows, plan.folds), parts.positive)
    return values


def _auroc(scores: Scores, positive: np.ndarray) -> float:
    return auroc(scores, positive) if np.isfinite(scores).all() else float("nan")

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
from latentmech.direction.folds import Fold, scores_left_out, surface_left_out
from latentmech.direction.nulls import read_at_best
from latentmech.direction.sample import Parts, Rows, Scores
from latentmech.statistics import Estimate, Lead, auroc, auroc_of, estimate, leads, p_value

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
    """The direction, its rivals (by the keys of `READERS`) and nulls (of `NULLS`) on topics that they had not seen.

    Attributes:
        auroc: of the direction, its place chosen anew in each fold; NaN where nothing can be left out.
        at_place: the same at the study's own place throughout.
        places: the candidate that each fold chose.
        leads: how far the direction is ahead of each rival, paired.
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
    """Leave out every fold, for everything that can be compared; folds and nulls may choose of the `allowed` places."""
    parts, folds = plan.read, plan.folds
    places = best_places([c.in_folds for c in candidates], allowed)

    def scored(place: int, labels: Parts, some: Sequence[Fold]) -> Scores:
        return scores_left_out(plan.method, labels, rows_of(place), some)

    def whole(place: int, labels: Parts) -> float:
        own = scored(place, labels, folds)
        return auroc(own, labels.positive) if np.isfinite(own).all() else float("nan")

    scores = np.full(len(parts.positive), np.nan)
    for place in set(places):
        here = scored(place, parts, [fold for fold, at in zip(folds, places, strict=True) if at == place])
        scores = np.where(np.isnan(here), scores, here)
    rivals, position = surface_left_out(texts, parts, folds), candidates[chosen].position
    for place, candidate in enumerate(candidates):
        if folds and candidate.level.layer is None and candidate.position == position:
            rivals[EMBEDDING] = scored(place, parts, folds)
    if plan.kept is None:
        at_place = whole(chosen, parts)
    else:  # it is as new to these texts as null directions are: both chose their place on dev
        at_place = auroc((rows_of(chosen) @ candidates[chosen].vector).double().numpy(), parts.positive)
    nulls = {name: read_at_best([candidates[i].drawn[name] for i in allowed]) for name in candidates[0].drawn}
    again = best_places([c.exchanged for c in candidates], allowed)
    nulls["exchanged"] = np.empty(len(again))
    for i in sorted(range(len(again)), key=again.__getitem__):  # the rows of a place are read once
        nulls["exchanged"][i] = whole(again[i], plan.exchanges[i])

    own = auroc_of(scores, parts.positive, parts.group)
    tallies = {name: auroc_of(read, parts.positive, parts.group) for name, read in rivals.items()}
    ahead = {name: leads(own, {READERS[name]: tally}, draws)[0] for name, tally in tallies.items()}
    return LeftOut(
        auroc=estimate(own, draws) if folds else Estimate(float("nan")),
        at_place=at_place, places=tuple(places),
        rivals={name: estimate(tally, draws) for name, tally in tallies.items()},
        leads=dict(sorted(ahead.items(), key=lambda one: -one[1].value)),
        nulls={
            name: NullReading(values, p_value(at_place, values) if np.isfinite(at_place) else 1.0)
            for name, values in nulls.items()
            if len(values) and np.isfinite(values).all()
        },
    )  # fmt: skip

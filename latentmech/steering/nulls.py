"""Directions without meaning, made at any block, in the place of one that is said to have some.

random      drawn as the states vary there; of the same length they move a model several times as much as the next
isotropic   drawn from the sphere, the easy null
exchanged   what the same method finds when labels are exchanged by the unit that was labelled: within pairs, between
            groups, or between rows

Exchanged within pairs, a direction has its largest part along the true one, for every difference of a pair has. What
exchanging takes away is the length, since the differences no longer add up. So these keep the length that the method
gives them, in proportion to the true one's, and are compared by their whole effect, as a permutation test of a
difference of means is: p = (1 + how many do as much) / (1 + how many there are).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from latentmech.direction import (
    Direction,
    DirectionMethod,
    Parts,
    covariance_directions,
    exchanges,
    isotropic_directions,
    unit,
)

RANDOM, ISOTROPIC, OWN_BLOCK, EXCHANGED = "random", "isotropic", "own_block", "exchanged"
TITLES = {
    RANDOM: "random directions",
    ISOTROPIC: "directions from the sphere",
    OWN_BLOCK: "random directions at blocks of their own choice",
    EXCHANGED: "exchanged labels",
}


@dataclass(frozen=True, kw_only=True)
class NullSource:
    """Makes them from states at a hook point: of the direction's texts or, where it has none, of neutral words."""

    rows: Callable[[str], Float[Tensor, "row d_model"]]
    parts: Parts | None  # which texts are labelled how; None where the direction comes without
    method: DirectionMethod
    seed: int

    def random(self, here: Direction, n: int) -> list[Direction]:
        """Drawn from the covariance of the training texts' states (or of the neutral words')."""
        rows = self.rows(here.hook_name)
        train = rows if self.parts is None else rows[self.parts.within("train")]
        return [stand_in(here, vector) for vector in covariance_directions(train, n, self.seed)]

    def isotropic(self, here: Direction, n: int) -> list[Direction]:
        """Drawn evenly from the sphere."""
        return [stand_in(here, vector) for vector in isotropic_directions(n, len(here.vector), self.seed)]

    def exchanged(self, here: Direction, n: int) -> list[Direction]:
        """Found under exchanged labels, as long as the method makes them; none where there are no labels."""
        if self.parts is None:
            return []
        train, rows = self.parts.within("train"), self.rows(here.hook_name)
        raw = [self.method(labels.sample(rows, train)) for labels in exchanges(self.parts, n, self.seed)]
        return [stand_in(here, unit(vector), float(vector.double().norm()) / here.norm) for vector in raw]


def stand_in(direction: Direction, vector: Float[Tensor, " d_model"], times: float = 1.0) -> Direction:
    """Another unit vector in a direction's place, `times` as long at every strength."""
    here = direction.hook_name
    known = {name: getattr(direction, name) for name in ("norms", "resid_norms", "spreads")}
    sizes: dict[str, Any] = {name: {here: times * own[here]} if here in own else {} for name, own in known.items()}
    return replace(direction, vectors={here: vector}, **sizes)

"""How much is how much. A strength in any unit is one length along the unit vector; every result carries all four.

resid   in median norms of the residual stream where it is added (default): the same at every layer and in every model
raw     in lengths of the direction before it was made a unit vector: 1 carries one class mean to the other
std     in standard deviations of a class's projection
kl      the length at which the model's next-token distributions are so many nats away from the untouched ones
"""

from collections.abc import Callable
from dataclasses import dataclass

from latentmech.direction import Direction
from latentmech.errors import BadInput

UNITS = ("resid", "raw", "std", "kl")
CLOSE = 0.03  # relative error at which a calibration is good enough
STEPS = 10


@dataclass(frozen=True)
class Scale:
    """What a unit is worth at one place, as a length along the unit vector."""

    resid: float
    raw: float
    std: float

    @classmethod
    def of(cls, direction: Direction) -> "Scale":
        """The scale at the direction's own hook point."""
        spread = direction.card.get("projections", {}).get("std", float("nan"))
        return cls(direction.resid_norm, direction.norm, float(spread))

    def length(self, strength: float, unit: str) -> float:
        """A strength as a length.

        Raises:
            BadInput: an unknown unit, or one that the direction's file does not know.
        """
        if unit not in ("resid", "raw", "std"):
            raise BadInput(f"steering.unit={unit} is unknown; expected one of {', '.join(UNITS)}")
        size = float(getattr(self, unit))
        if size != size:
            raise BadInput(f"steering.unit={unit}: the direction's file does not say how large that is; use resid")
        return strength * size

    def in_units(self, length: float) -> dict[str, float]:
        """A length in every unit but nats, which have to be measured."""
        return {unit: length / getattr(self, unit) for unit in ("resid", "raw", "std")}


def calibrated(kl_at: Callable[[float], float], nats: float, start: float) -> float:
    """The length at which `kl_at` is |`nats`|, on the side of its sign, by bisection on a logarithmic scale.

    Args:
        kl_at: mean KL in nats for a length.
        start: a length to begin with.
    """
    if nats == 0:
        return 0.0
    sign, wanted = (1.0 if nats > 0 else -1.0), abs(nats)
    low, high = 0.0, start
    for _ in range(STEPS):
        if kl_at(sign * high) >= wanted:
            break
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low * high) ** 0.5 if low > 0 else high / 2
        value = kl_at(sign * middle)
        if abs(value - wanted) <= CLOSE * wanted:
            return sign * middle
        low, high = (middle, high) if value < wanted else (low, middle)
    return sign * (low * high) ** 0.5 if low > 0 else sign * high

"""How much is how much. A strength knows its unit, and is a length along the unit vector wherever it is used.

resid   in median norms of the residual stream where it is used (default): the same at every layer and in every model
raw     in lengths of the direction before it was made a unit vector: 1 carries one class mean to the other
std     in standard deviations of a class's projection
factor  a plain number, for edits that take no length
kl      the length at which the model's next-token distributions are so many nats away from the untouched ones; it has
        to be searched for (`calibrated`), and then is one in `resid`
"""

from collections.abc import Callable
from dataclasses import dataclass

from latentmech.direction import Direction
from latentmech.errors import BadInput, expected

SIZES: dict[str, Callable[[Direction], float]] = {
    "resid": lambda direction: direction.resid_norms.get(direction.hook_name, float("nan")),
    "raw": lambda direction: direction.norms.get(direction.hook_name, float("nan")),
    "std": lambda direction: direction.spread,
}
CLOSE = 0.03  # relative error at which a calibration is good enough
STEPS = 10


@dataclass(frozen=True)
class Strength:
    """How much, and of what."""

    value: float
    unit: str

    def along(self, direction: Direction) -> float:
        """The length along the direction's unit vector, at its own hook point.

        Raises:
            BadInput: a unit that is no length, or one whose size the direction does not know there.
        """
        if self.unit not in SIZES:
            raise BadInput(f"a strength in {self.unit} is no length; {expected(self.unit, SIZES)}")
        size = SIZES[self.unit](direction)
        if size != size:
            known = [unit for unit, of in SIZES.items() if of(direction) == of(direction)]
            raise BadInput(
                f"steering.unit={self.unit}: {direction.name} does not say how large that is at {direction.hook_name}; "
                f"{expected('', known)}"
            )
        return self.value * size


def in_units(strength: Strength, direction: Direction) -> dict[str, float]:
    """A length in every unit but nats, which have to be measured; NaN where one is not known; none of a factor."""
    if strength.unit not in SIZES:
        return {}
    return {unit: strength.along(direction) / size(direction) for unit, size in SIZES.items()}


def calibrated(kl_at: Callable[[float], float], nats: float, start: float) -> tuple[float, float]:
    """The length at which `kl_at` is nearest to |`nats`|, on the side of its sign, and what it is there.

    By doubling, and then by bisection on a logarithmic scale.

    Args:
        kl_at: mean KL in nats for a length.
        nats: what is wanted; its sign is that of the length.
        start: a length to begin with.
    """
    if nats == 0:
        return 0.0, 0.0
    sign, wanted, seen = (1.0 if nats > 0 else -1.0), abs(nats), dict[float, float]()

    def reaches(length: float) -> bool:
        seen[length] = kl_at(sign * length)
        return seen[length] >= wanted

    high = next((length for length in (start * 2**i for i in range(STEPS)) if reaches(length)), 0.0)
    low = high / 2 if high > start else 0.0
    for _ in range(STEPS if high else 0):
        if any(is_close(kl, wanted) for kl in seen.values()):
            break
        middle = (low * high) ** 0.5 if low else high / 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    nearest = min(seen, key=lambda length: abs(seen[length] - wanted))
    return sign * nearest, seen[nearest]


def is_close(kl: float, wanted: float) -> bool:
    """Whether a calibration has found what was wanted."""
    return abs(kl - abs(wanted)) <= CLOSE * abs(wanted)

"""How a direction is used, and how much is how much.

Each edit is one function from a direction and a strength, and one line in `EDIT_KINDS`; a `Steerer` runs them with gate
and scope. A strength knows its unit, and is a length along the unit vector wherever it is used:

resid   in median norms of the residual stream where it is used (default): the same at every layer and in every model
raw     in lengths of the direction before it was made a unit vector: 1 carries one class mean to the other
std     in standard deviations of a class's projection
factor  a plain number, for edits that take no length
kl      the length at which the model's next-token distributions are so many nats away from the untouched ones; it has
        to be searched for (`calibrated`), and then is one in `resid`
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.direction import Direction
from latentmech.errors import BadInput, expected
from latentmech.model import Addition, Clamp, Conditional, Edit, Model, Rotation, Scope
from latentmech.steering.generation import Variant

Gate = Callable[[Edit], Conditional]
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
            known = expected("", [unit for unit, of in SIZES.items() if of(direction) == of(direction)])
            seen = f"{direction.name} does not say how large that is at {direction.hook_name}"
            raise BadInput(f"steering.unit={self.unit}: {seen}; {known}")
        return self.value * size


def in_units(strength: Strength, direction: Direction) -> dict[str, float]:
    """A length in every unit but nats, which have to be measured; NaN where one is not known; none of a factor."""
    if strength.unit not in SIZES:
        return {}
    return {f"strength_{unit}": strength.along(direction) / size(direction) for unit, size in SIZES.items()}


def calibrated(kl_at: Callable[[float], float], nats: float, start: float) -> tuple[float, float]:
    """The length at which `kl_at` is nearest to |`nats`|, on the side of its sign, and what it is there.

    By doubling from `start` on, and then by bisection on a logarithmic scale.
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


@dataclass(frozen=True, kw_only=True)
class EditKind:
    """An edit, and what a reader must know about its strengths.

    Attributes:
        verb: how a sentence about it begins.
        zero: what strength 0 does.
        neutral: the strength that leaves the model untouched; above it the behaviour should be more likely, and below
            it less. None where there is none: then more strength should make it more likely, and that is all.
        unit: of its strengths, if it has its own; else they are lengths, in the unit that a study names.
        in_weights: whether adding a bias to the weights does the same.
    """

    make: Callable[[Direction, Strength], Edit]
    verb: str
    zero: str
    neutral: float | None = None
    unit: str | None = None
    in_weights: bool = False


UNTOUCHED, NO_PART = "0 is the untouched model", "0 takes the projection away, which is not the untouched model"
EDIT_KINDS = {
    "addition": EditKind(  # so far along the direction
        make=lambda d, s: Addition(s.along(d) * d.vector), verb="Adding", zero=UNTOUCHED, neutral=0.0, in_weights=True
    ),
    "rotation": EditKind(  # so far along it, and back to the norm that it had
        make=lambda d, s: Rotation(s.along(d) * d.vector), verb="Rotating towards", zero=UNTOUCHED, neutral=0.0
    ),
    "clamp": EditKind(  # exactly so far along it, wherever it was
        make=lambda d, s: Clamp(d.vector, s.along(d)), verb="Clamping along", zero=NO_PART
    ),
}


@dataclass(frozen=True, kw_only=True)
class Steerer:
    """An edit with its gate and scope: calibration, the choice of a block and the sweep are all given this one."""

    model: Model
    kind: EditKind
    scope: Scope
    gate_at: Callable[[str], Gate | None]  # learned at a hook point

    def __call__(self, direction: Direction, strength: Strength) -> Variant:
        """The model with the direction used at its own hook point."""
        edit, gate = self.kind.make(direction, strength), self.gate_at(direction.hook_name)
        return {direction.hook_name: edit if gate is None else gate(edit)}


def learned(
    rows: Float[Tensor, "text d_model"], positive: Bool[np.ndarray, " text"], vector: Float[Tensor, " d_model"], by: str
) -> Gate:
    """The gate along a unit vector, by cosine or projection, that opens for most positive and fewest negative texts."""
    along = rows.double() @ vector.double()
    values = along / rows.double().norm(dim=1).clamp(min=1e-30) if by == "cosine" else along
    return partial(Conditional, gate=vector, threshold=threshold(values.numpy(), positive), by=by)


def threshold(values: Float[np.ndarray, " text"], positive: Bool[np.ndarray, " text"]) -> float:
    """The value above which most positive and fewest negative texts lie (Youden's index), midway between neighbours."""
    ordered = np.unique(values)
    cuts = np.concatenate([[ordered[0] - 1e-6], (ordered[1:] + ordered[:-1]) / 2])
    gains = [(values[positive] > cut).mean() - (values[~positive] > cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(gains))])

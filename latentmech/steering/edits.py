"""How a direction is used: each edit is one function from a direction and a strength, and one line in `EDIT_KINDS`.

What runs them is a `Steerer`, with the gate, which is learned on dev texts where the edit is made, and the scope.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.direction import Direction
from latentmech.model import Edit, Model, Scope
from latentmech.steering.generation import Variant
from latentmech.steering.interventions import Addition, Clamp, Conditional, Rotation
from latentmech.steering.strength import Strength

Gate = Callable[[Edit], Conditional]


@dataclass(frozen=True, kw_only=True)
class EditKind:
    """An edit, and what a reader must know about its strengths.

    Attributes:
        make: the edit of a direction at a strength.
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


def addition(direction: Direction, strength: Strength) -> Edit:
    """So far along the direction."""
    return Addition(strength.along(direction) * direction.vector)


def rotation(direction: Direction, strength: Strength) -> Edit:
    """So far along the direction, and back to the norm that it had."""
    return Rotation(strength.along(direction) * direction.vector)


def clamp(direction: Direction, strength: Strength) -> Edit:
    """Exactly so far along the direction, wherever it was."""
    return Clamp(direction.vector, strength.along(direction))


UNTOUCHED, NO_PART = "0 is the untouched model", "0 takes the projection away, which is not the untouched model"
EDIT_KINDS = {
    "addition": EditKind(make=addition, verb="Adding", zero=UNTOUCHED, neutral=0.0, in_weights=True),
    "rotation": EditKind(make=rotation, verb="Rotating towards", zero=UNTOUCHED, neutral=0.0),
    "clamp": EditKind(make=clamp, verb="Clamping along", zero=NO_PART),
}


@dataclass(frozen=True, kw_only=True)
class Steerer:
    """An edit with its gate and scope: calibration, the choice of a block and the sweep are all given this one.

    Attributes:
        gate_at: the condition at a hook point, learned there; or none.
    """

    model: Model
    kind: EditKind
    scope: Scope
    gate_at: Callable[[str], Gate | None]

    def __call__(self, direction: Direction, strength: Strength) -> Variant:
        """The model with the direction used at its own hook point."""
        edit, gate = self.kind.make(direction, strength), self.gate_at(direction.hook_name)
        return {direction.hook_name: edit if gate is None else gate(edit)}


def learned(
    rows: Float[Tensor, "text d_model"], positive: Bool[np.ndarray, " text"], vector: Float[Tensor, " d_model"], by: str
) -> Gate:
    """The gate that opens for most positive and fewest negative texts.

    Args:
        rows: activations of dev texts where the edit is made.
        vector: the unit vector along which a token is looked at.
        by: `cosine` or `projection`.
    """
    along = rows.double() @ vector.double()
    values = along / rows.double().norm(dim=1).clamp(min=1e-30) if by == "cosine" else along
    return partial(Conditional, gate=vector, threshold=threshold(values.numpy(), positive), by=by)


def threshold(values: Float[np.ndarray, " text"], positive: Bool[np.ndarray, " text"]) -> float:
    """The value above which most positive and fewest negative texts lie (Youden's index), midway between neighbours."""
    ordered = np.unique(values)
    cuts = np.concatenate([[ordered[0] - 1e-6], (ordered[1:] + ordered[:-1]) / 2])
    gains = [(values[positive] > cut).mean() - (values[~positive] > cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(gains))])

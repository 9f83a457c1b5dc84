"""How a direction is used: each edit is one function from a direction and a strength, and one line in `EDIT_KINDS`."""

from collections.abc import Callable
from dataclasses import dataclass

from latentmech.direction import Direction
from latentmech.model import Edit, Model, Scope
from latentmech.steering.gate import Gate
from latentmech.steering.generation import Variant
from latentmech.steering.interventions import Addition, Clamp, Rotation
from latentmech.steering.strength import Strength


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

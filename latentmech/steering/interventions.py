"""What can be done to a residual stream along a direction. Each is a value; called, it returns a new tensor.

They are installed by `latentmech.model.intervention`, which knows the tokens; an intervention sees
`[batch, pos, d_model]` and treats every token alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.model import Edit

Resid = Float[Tensor, "batch pos d_model"]
Vector = Float[Tensor, " d_model"]


@dataclass(frozen=True)
class Addition:
    """`x + vector`: every token is moved by the same amount (Turner et al. 2023, activation addition)."""

    vector: Vector

    def __call__(self, resid: Resid) -> Resid:
        """The stream, moved."""
        return resid + self.vector.to(resid)


@dataclass(frozen=True)
class Ablation:
    """`x - (x . d) d`: the part along the unit vector `d` is removed (Arditi et al. 2024, section 2.4)."""

    direction: Vector

    def __call__(self, resid: Resid) -> Resid:
        """The stream without its part along the direction."""
        direction = self.direction.to(resid)
        return resid - (resid @ direction).unsqueeze(-1) * direction


@dataclass(frozen=True)
class Clamp:
    """`x + (target - x . d) d`: every token gets the same projection on the unit vector `d`."""

    direction: Vector
    target: float

    def __call__(self, resid: Resid) -> Resid:
        """The stream with its projection set."""
        direction = self.direction.to(resid)
        return resid + (self.target - resid @ direction).unsqueeze(-1) * direction


@dataclass(frozen=True)
class AffineAblation:
    """`x - ((x - mean) . d) d`: the projection of a class mean instead of zero (Marshall et al. 2024, equation 4).

    Where all activations lie far from the origin, as they do, zero is as unusual as any other extreme.
    """

    direction: Vector
    mean: Vector

    def __call__(self, resid: Resid) -> Resid:
        """The stream with the mean's projection."""
        return Clamp(self.direction, float(self.mean.double() @ self.direction.double()))(resid)


@dataclass(frozen=True)
class Rotation:
    """`|x| (x + vector) / |x + vector|`: turned towards the vector at unchanged length."""

    vector: Vector

    def __call__(self, resid: Resid) -> Resid:
        """The stream, turned."""
        moved = resid + self.vector.to(resid)
        return moved * (resid.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True).clamp(min=1e-30))


@dataclass(frozen=True)
class Conditional:
    """Does what `edit` does to the tokens beyond a threshold along a gate, and nothing to the others.

    Conditional activation steering (Lee et al. 2024) without its window: every token is looked at by itself.

    Attributes:
        gate: unit vector of the condition.
        threshold: above it a token is edited; in units of `by`.
        by: `cosine` or `projection`.
    """

    edit: Edit
    gate: Vector
    threshold: float
    by: str = "cosine"

    def __post_init__(self) -> None:
        if self.by not in ("cosine", "projection"):
            raise BadInput(f"by={self.by} is unknown; expected cosine or projection")

    def __call__(self, resid: Resid) -> Resid:
        """The stream, edited where the gate is open."""
        along = resid @ self.gate.to(resid)
        value = along / resid.norm(dim=-1).clamp(min=1e-30) if self.by == "cosine" else along
        return torch.where((value > self.threshold).unsqueeze(-1), self.edit(resid), resid)


@dataclass(frozen=True)
class Composed:
    """Several edits of one place, the first one first."""

    edits: Sequence[Edit]

    def __call__(self, resid: Resid) -> Resid:
        """The stream after all of them."""
        for edit in self.edits:
            resid = edit(resid)
        return resid

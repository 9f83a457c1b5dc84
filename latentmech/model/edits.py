"""What can be done to a residual stream along a direction, each as a value; called, it returns a new tensor.

They are installed by `intervention.py`, which knows the tokens, or rebuilt in an engine's worker from what `described`
says of them; an edit sees `[batch, pos, d_model]` and treats every token alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.model.scope import Edit
from latentmech.model.settings import GATES

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
class Clamp:
    """`x + (target - x . d) d`: every token gets the same projection on the unit vector `d`."""

    direction: Vector
    target: float = 0.0

    def __call__(self, resid: Resid) -> Resid:
        """The stream with its projection set."""
        direction = self.direction.to(resid)
        return resid + (self.target - resid @ direction).unsqueeze(-1) * direction


class Ablation(Clamp):
    """`x - (x . d) d`: the part along the unit vector `d` is removed (Arditi et al. 2024, section 2.4)."""


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
    """Does what `edit` does to tokens whose cosine or projection along the gate, a unit vector, exceeds a threshold.

    Conditional activation steering (Lee et al. 2024) without its window: every token is looked at by itself.
    """

    edit: Edit
    gate: Vector
    threshold: float
    by: str = "cosine"

    def __post_init__(self) -> None:
        if self.by not in GATES:
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


VALUES = {cls.__name__: cls for cls in (Addition, Clamp, Ablation, AffineAblation, Rotation, Conditional, Composed)}


def described(edit: Edit, tensor: Callable[[Tensor], Any]) -> dict[str, Any]:
    """An edit as plain values, for an engine that runs elsewhere; `tensor` says what a vector is written as.

    Raises:
        BadInput: it is a function of one's own, of which nothing can be said.
    """
    if (name := type(edit).__name__) not in VALUES:
        raise BadInput(f"the edit {name} is code, which no engine but transformers runs; set model.engine=transformers")

    def said(value: Any) -> Any:
        if isinstance(value, Tensor):
            return tensor(value)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [said(one) for one in value]
        return described(value, tensor) if callable(value) else value

    return {"is": name} | {f.name: said(getattr(edit, f.name)) for f in fields(edit)}  # type: ignore[arg-type]


def rebuilt(said: Mapping[str, Any], tensor: Callable[[Any], Tensor], is_tensor: Callable[[Any], bool]) -> Edit:
    """The edit that `described` described."""

    def value(one: Any) -> Any:
        if is_tensor(one):
            return tensor(one)
        if isinstance(one, list):
            return [value(part) for part in one]
        return rebuilt(one, tensor, is_tensor) if isinstance(one, Mapping) else one

    return VALUES[said["is"]](**{name: value(one) for name, one in said.items() if name != "is"})

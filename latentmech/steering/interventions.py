"""What can be done to a residual stream along a direction, and what removes one from the whole model.

Each intervention is a value; called, it returns a new tensor. They are installed by `latentmech.model.intervention`,
which knows the tokens; an intervention sees `[batch, pos, d_model]` and treats every token alike. An ablation edits the
embedding and everything that a block writes:

plain       the projection is removed from all tokens (Arditi et al. 2024, section 2.4)
sink_aware  the same, but the first token of a text stays: models park attention there with norms 100 times larger, and
            a direction that overlaps with it takes that away too
affine      the projection becomes that of the mean of the negative texts at each level, instead of zero
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.direction import Direction
from latentmech.errors import BadInput, expected
from latentmech.model import EMBED_HOOK, Edit, Scope
from latentmech.steering.settings import ABLATIONS, GATES

OTHERS_WRITE = "attention and MLP are not all that writes to the stream of"  # where an ablation leaves something
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


@dataclass(frozen=True)
class Plan:
    """Edits by hook name, and which tokens they reach; by default the untouched model."""

    edits: Mapping[str, Edit] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)


def ablation(direction: Direction, n_layers: int, kind: str = "plain") -> Plan:
    """The direction's vector, removed everywhere.

    After `plain` and `sink_aware` no later write has a part along it; after `affine` every block reads the projection
    of the negative texts' mean.
    """
    if kind not in ABLATIONS:
        raise BadInput(f"ablation={kind} is unknown; {expected(kind, ABLATIONS)}")
    remove, means = Ablation(direction.vector), direction.negative_means
    edits: dict[str, Edit] = {EMBED_HOOK: remove}
    for layer in range(n_layers):
        edits |= {f"blocks.{layer}.hook_attn_out": remove, f"blocks.{layer}.hook_mlp_out": remove}
    if kind == "affine":
        if not means:
            seen = f"{direction.name} has no class means, so there is no affine ablation"
            raise BadInput(f"{seen}; use plain or sink_aware")
        check_affine(means, n_layers)
        edits |= {name: AffineAblation(direction.vector, mean) for name, mean in means.items()}
    return Plan(edits, Scope(first=0 if kind == "plain" else 1))


def check_affine(names: Collection[str], n_layers: int) -> None:
    """An affine ablation moves what every block reads, so it takes a class mean at one of these hook points.

    Raises:
        BadInput: there are blocks without; there the ablation would be the plain one under another name.
    """
    read_by = [{f"blocks.{layer}.hook_resid_pre", f"blocks.{layer - 1}.hook_resid_post"} for layer in range(n_layers)]
    if bare := [f"{layer}" for layer, read in enumerate(read_by) if read.isdisjoint(names)]:
        blocks = f"block{'s' if len(bare) > 1 else ''} {', '.join(bare[:3])}"
        more = f" and {len(bare) - 3} more" if len(bare) > 3 else ""
        raise BadInput(
            f"affine ablation needs class means where every block reads, and there are none for {blocks}{more}; set "
            "layers=all and site=resid_post where the direction is found (steering.layer says where it is added), or "
            "do without: steering.necessity=null, selection.ablation=sink_aware"
        )

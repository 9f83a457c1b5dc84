"""Removing a direction from the whole model: at the embedding and at everything that a block writes.

plain       the projection is removed from all tokens (Arditi et al. 2024, section 2.4)
sink_aware  the same, but the first token of a text stays: models park attention there with norms 100 times larger, and
            a direction that overlaps with it takes that away too
affine      the projection becomes that of the mean of the negative texts at each level, instead of zero
"""

from collections.abc import Mapping
from dataclasses import dataclass

from latentmech.direction import Direction
from latentmech.errors import BadInput
from latentmech.model import EMBED_HOOK, Edit, Scope
from latentmech.steering.interventions import Ablation, AffineAblation, Vector

KINDS = ("plain", "sink_aware", "affine")


@dataclass(frozen=True)
class Plan:
    """Edits by hook name, and which tokens they reach."""

    edits: Mapping[str, Edit]
    scope: Scope


def ablation(direction: Direction, n_layers: int, kind: str = "plain") -> Plan:
    """The direction's vector, removed everywhere.

    After `plain` and `sink_aware` no later write has a part along it; after `affine` every block reads the projection
    of the negative texts' mean.
    """
    if kind not in KINDS:
        raise BadInput(f"ablation={kind} is unknown; expected one of {', '.join(KINDS)}")
    remove = Ablation(direction.vector)
    edits: dict[str, Edit] = {EMBED_HOOK: remove}
    for layer in range(n_layers):
        edits |= {f"blocks.{layer}.hook_attn_out": remove, f"blocks.{layer}.hook_mlp_out": remove}
    if kind == "affine":
        edits |= {name: AffineAblation(direction.vector, mean) for name, mean in _means(direction).items()}
    return Plan(edits, Scope(first=0 if kind == "plain" else 1))


def _means(direction: Direction) -> Mapping[str, Vector]:
    """Means of the negative texts where a block reads: at the embedding and behind every block but the last."""
    if not direction.negative_means:
        raise BadInput(f"{direction.name} has no class means, so there is no affine ablation; use plain or sink_aware")
    return direction.negative_means

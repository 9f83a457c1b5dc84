"""Removing a direction from the whole model: at the embedding and at everything that a block writes.

plain       the projection is removed from all tokens (Arditi et al. 2024, section 2.4)
sink_aware  the same, but the first token of a text stays: models park attention there with norms 100 times larger, and
            a direction that overlaps with it takes that away too
affine      the projection becomes that of the mean of the negative texts at each level, instead of zero
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from latentmech.direction import Direction
from latentmech.errors import BadInput, expected
from latentmech.model import EMBED_HOOK, Edit, Scope
from latentmech.steering.interventions import Ablation, AffineAblation, Vector
from latentmech.steering.settings import ABLATIONS


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
    if kind not in ABLATIONS:
        raise BadInput(f"ablation={kind} is unknown; {expected(kind, ABLATIONS)}")
    remove = Ablation(direction.vector)
    edits: dict[str, Edit] = {EMBED_HOOK: remove}
    for layer in range(n_layers):
        edits |= {f"blocks.{layer}.hook_attn_out": remove, f"blocks.{layer}.hook_mlp_out": remove}
    if kind == "affine":
        edits |= {name: AffineAblation(direction.vector, mean) for name, mean in _means(direction, n_layers).items()}
    return Plan(edits, Scope(first=0 if kind == "plain" else 1))


def check_affine(names: Collection[str], n_layers: int) -> None:
    """An affine ablation moves what every block reads, so it takes a class mean there.

    Args:
        names: hook points where class means are known.

    Raises:
        BadInput: there are blocks without; elsewhere the ablation would be the plain one under another name.
    """
    if bare := [layer for layer in range(n_layers) if not any(name in names for name in _read_by(layer))]:
        raise BadInput(
            f"affine ablation needs class means where every block reads, and there are none for {_listed(bare)}; set "
            "layers=all and site=resid_post where the direction is found (steering.layer says where it is added), or "
            "do without: steering.necessity=null, selection.ablation=sink_aware"
        )


def _read_by(layer: int) -> tuple[str, ...]:
    """The names of the place that a block reads."""
    return (f"blocks.{layer}.hook_resid_pre", f"blocks.{layer - 1}.hook_resid_post")


def _listed(layers: Sequence[int]) -> str:
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    return f"block{'s' if len(layers) > 1 else ''} {', '.join(map(str, layers[:3]))}{more}"


def _means(direction: Direction, n_layers: int) -> Mapping[str, Vector]:
    """Means of the negative texts where a block reads: at the embedding and behind every block but the last."""
    if not direction.negative_means:
        raise BadInput(f"{direction.name} has no class means, so there is no affine ablation; use plain or sink_aware")
    check_affine(direction.negative_means, n_layers)
    return direction.negative_means

"""What removes a direction from the whole model: an ablation edits the embedding and everything that a block writes.

plain       the projection is removed from all tokens (Arditi et al. 2024, section 2.4)
sink_aware  the same, but the first token of a text stays: models park attention there with norms 100 times larger, and
            a direction that overlaps with it takes that away too
affine      the projection becomes that of the mean of the negative texts at each level, instead of zero
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from latentmech.direction import Direction
from latentmech.errors import BadInput, expected
from latentmech.model import EMBED_HOOK, Ablation, AffineAblation, Edit, Scope
from latentmech.steering.settings import ABLATIONS

OTHERS_WRITE = "attention and MLP are not all that writes to the stream of"  # where an ablation leaves something


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

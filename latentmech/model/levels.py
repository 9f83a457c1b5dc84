"""The places in a model where a representation is read: the embedding, and one site in each block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from latentmech.errors import BadInput
from latentmech.fields import OneOf

SITES = ("resid_post", "resid_pre", "resid_mid", "attn_out", "mlp_out")
POSITIONS = ("last", "first", "mean")
Site = Annotated[str, OneOf(*SITES)]
Position = Annotated[str, OneOf(*POSITIONS)]
Layers = Sequence[int] | str
EMBED_HOOK = "blocks.0.hook_resid_pre"


@dataclass(frozen=True)
class Level:
    """A place on the way up. `layer` is the 0-based block; the embedding has none and is no "layer 0"."""

    layer: int | None
    hook_name: str

    @property
    def label(self) -> str:
        """`embed` or `layer_07`, as metric names spell it."""
        return "embed" if self.layer is None else f"layer_{self.layer:02d}"

    @property
    def tick(self) -> str:
        """`embed` or `7`, as an axis shows it."""
        return "embed" if self.layer is None else str(self.layer)

    @property
    def place(self) -> str:
        """`the embedding` or `block 7`, as a sentence names it."""
        return "the embedding" if self.layer is None else f"block {self.layer}"


def levels_of(n_layers: int, site: str = "resid_post", layers: Sequence[int] | str = "all") -> tuple[Level, ...]:
    """The embedding and the asked-for blocks, in order of depth.

    Args:
        n_layers: number of blocks of the model.
        site: the TransformerLens hook point read in every block, without its `hook_`.
        layers: `all`, or block numbers.

    Raises:
        BadInput: an unknown site, or a block that the model does not have.
    """
    if site not in SITES:
        raise BadInput(f"site={site} is unknown; expected one of {', '.join(SITES)}")
    if isinstance(layers, str) and layers != "all":
        raise BadInput(f"layers={layers} is not understood; expected all, or a list such as layers=[3,4,5]")
    chosen = range(n_layers) if isinstance(layers, str) else sorted(set(layers))
    if outside := [layer for layer in chosen if not 0 <= layer < n_layers]:
        raise BadInput(f"layers={list(outside)} is out of range; this model has blocks 0 to {n_layers - 1}")
    blocks = tuple(Level(layer, f"blocks.{layer}.hook_{site}") for layer in chosen)
    return (Level(None, EMBED_HOOK), *blocks)

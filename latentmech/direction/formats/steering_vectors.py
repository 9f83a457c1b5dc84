"""Vectors for the steering-vectors package, which pickles its own: here as safetensors, without code inside.

Like every tool it numbers blocks as we do, from 0, and knows no unit vector with a length beside it. So the length goes
into the numbers: what is exported, here and by the other formats, is `unit vector * norm`, in activation units, as
float32. Made a unit vector again, these can differ in the last bit.

Keys are `layer_activations.<block>`; the vector is added to `blocks.<block>.hook_resid_post`, the block's output. This
turns the file into a `SteeringVector`:

    from safetensors.torch import load_file
    from steering_vectors import SteeringVector

    tensors = load_file("refusal.safetensors")
    layers = {int(name.rpartition(".")[2]): tensor for name, tensor in tensors.items()}
    vector = SteeringVector(layer_activations=layers, layer_type="decoder_block")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from latentmech.direction.direction import OF_ONE_LEVEL, Direction, layer_of, unit
from latentmech.errors import BadInput
from latentmech.storage import file_sha256
from latentmech.tensors import load_tensors, save_tensors

Levels = Literal["all", "chosen"]
OUTPUT = "blocks.{}.hook_resid_post"
FORMAT = "steering_vectors.SteeringVector"
KEY = "layer_activations."
KIND = "decoder_block"


def export_steering_vectors(direction: Direction, path: str | Path, *, levels: Levels = "chosen") -> str:
    """Write the vectors and a JSON card beside them; returns the SHA-256 of the safetensors file.

    Raises:
        BadInput: the direction is not at the output of a block.
    """
    tensors = {f"{KEY}{block}": vector for block, vector in block_vectors(direction, levels).items()}
    facts = {"format": FORMAT, "layer_type": KIND, "hook_name": direction.hook_name}
    return save_tensors(Path(path), tensors, {**direction.card, **facts})


def import_steering_vectors(path: str | Path, *, layer: int | None = None) -> Direction:
    """Read such a file; `layer` is the 0-based block to choose, where the file holds several without saying which.

    Raises:
        BadInput: it is another kind of file, or it is not clear which block is meant.
        IntegrityError: it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} is not there; name a .safetensors file")
    tensors, card = load_tensors(path)
    numbers = {name: name.removeprefix(KEY) for name in tensors}
    foreign = [name for name, number in numbers.items() if name == number or not number.isdecimal()]
    kind = card.get("layer_type", KIND)
    if foreign or kind != KIND:
        seen = foreign[0] if foreign else f"layer_type {kind}"
        raise BadInput(f"{path} holds {seen}; expected {KEY}<block> of layer_type {KIND}")
    vectors = {int(number): tensors[name].float() for name, number in numbers.items()}
    facts = {key: value for key, value in card.items() if key not in ("format", "layer_type")}
    return from_blocks(vectors, layer, facts, path)


def block_vectors(direction: Direction, levels: Levels, first: int = 0) -> dict[int, Float[Tensor, " d_model"]]:
    """Vectors at their raw length, float32, by 0-based block: the chosen one, or all from `first` on.

    Raises:
        BadInput: the chosen vector is not one of a block's output, or the format has no room for its block.
    """
    layer = direction.layer
    if layer is None or direction.hook_name != OUTPUT.format(layer):
        raise BadInput(f"{direction.name} is at {direction.hook_name}; only a block's output (resid_post) is exported")
    if layer < first:
        raise BadInput(f"{direction.name} is at block {layer}, the format begins at {first}; choose another with at()")
    wanted = [(layer_of(name), name) for name in direction.vectors if levels == "all" or name == direction.hook_name]
    blocks = {i: name for i, name in wanted if i is not None and i >= first and name == OUTPUT.format(i)}
    return {i: (direction.vectors[blocks[i]].double() * direction.norms[blocks[i]]).float() for i in sorted(blocks)}


def from_blocks(
    vectors: Mapping[int, Float[Tensor, " d_model"]], layer: int | None, card: Mapping[str, Any], path: Path
) -> Direction:
    """A direction from what another tool has written. Class means and the norm of the residual stream are not known.

    Args:
        vectors: by 0-based block; a vector of zeros stands for none.
        layer: the block to choose; not needed if there is one alone, or if the card says which in `hook_name`.

    Raises:
        BadInput: no block is chosen, or there is nothing at the chosen one.
    """
    kept = {OUTPUT.format(block): vector for block, vector in sorted(vectors.items()) if vector.any()}
    if len({len(vector) for vector in kept.values()}) > 1:
        raise BadInput(f"{path} holds vectors of different widths; expected those of one model")
    chosen = card.get("hook_name") if layer is None else OUTPUT.format(layer)
    chosen = next(iter(kept)) if chosen is None and len(kept) == 1 else chosen
    if chosen not in kept:
        blocks = ", ".join(str(layer_of(name)) for name in kept)
        raise BadInput(f"{path} has vectors for blocks {blocks or '(none)'}; layer={layer} is none of them, choose one")
    stated = card.get("hook_name", chosen)
    stray = () if stated in kept else OF_ONE_LEVEL  # true of a block that is not here
    own = {key: value for key, value in card.items() if key not in ("hook_name", *stray)}
    units = {name: unit(vector) for name, vector in kept.items()}
    lengths = {name: float(vector.double().norm()) for name, vector in kept.items()}
    found = Direction(
        hook_name=stated if stated in kept else chosen, vectors=units, norms=lengths, positive_means={},
        negative_means={}, resid_norms={},
        card={"name": path.stem, **own, "imported": {"file": path.name, "sha256": file_sha256(path)}},
    )  # fmt: skip
    return found.at(chosen)

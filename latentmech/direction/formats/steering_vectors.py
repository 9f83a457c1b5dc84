"""Vectors for the steering-vectors package, which pickles its own: here as safetensors, without code inside.

Keys are `layer_activations.<block>`, the block counted from 0 as in `model.layers`; the vector is added to the block's
output, `blocks.<block>.hook_resid_post`, and is as long as it was found. This turns the file into a `SteeringVector`:

    from safetensors.torch import load_file
    from steering_vectors import SteeringVector

    tensors = load_file("refusal.safetensors")
    layers = {int(name.rpartition(".")[2]): tensor for name, tensor in tensors.items()}
    vector = SteeringVector(layer_activations=layers, layer_type="decoder_block")
"""

from pathlib import Path

from latentmech.direction.direction import Direction
from latentmech.direction.formats.blocks import Levels, block_vectors, from_blocks
from latentmech.errors import BadInput
from latentmech.tensors import load_tensors, save_tensors

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

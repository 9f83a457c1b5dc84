"""Control vectors of llama.cpp and repeng: a GGUF file with a float32 tensor `direction.N` for block N.

    llama-server -m model.gguf --control-vector refusal.gguf
    ControlModel(model, [12]).set_control(ControlVector.import_gguf("refusal.gguf"))

N is our 0-based block: the vector is added to `blocks.N.hook_resid_post`. llama.cpp adds it where it calls the block's
output `l_out`, behind the last residual sum of block N (`build_cvec`); repeng wraps `model.layers[N]` and adds to what
comes out. There is no room for block 0 or the embedding: llama.cpp refuses `direction.0`, and its buffer begins at
block 1. Both are left out of a file with all levels.

The file is added at scale 1, so a vector is as long as it was found. llama.cpp adds every vector in the file; of one
made with `levels="all"` it takes a part by `--control-vector-layer-range 12 12`. Neither tool reads other metadata, so
our card travels along under a key of ours.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter

from latentmech.direction.direction import Direction
from latentmech.direction.formats.steering_vectors import Levels, block_vectors, from_blocks
from latentmech.errors import BadInput, IntegrityError
from latentmech.storage import canonical_json, write_bytes

ARCHITECTURE = "controlvector"
FIRST = 1
CARD = "latentmech.card"
TENSOR = "direction."
PLAIN = (GGMLQuantizationType.F32, GGMLQuantizationType.F16)


def export_gguf(
    direction: Direction, path: str | Path, *, levels: Levels = "chosen", model_hint: str | None = None
) -> str:
    """Write a control vector of the chosen block or of all from 1 on; returns the SHA-256 of the file.

    What `model_hint` calls the model (by default as the card does) nobody checks.

    Raises:
        BadInput: the direction does not lie at the output of a block, or at that of block 0.
    """
    vectors = block_vectors(direction, levels, FIRST)
    hint = model_hint or direction.card.get("model", {}).get("name", "unknown")
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "vector.gguf"
        writer = GGUFWriter(temporary, ARCHITECTURE)
        writer.add_string(f"{ARCHITECTURE}.model_hint", hint)
        writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(vectors))
        writer.add_string(CARD, canonical_json({**direction.card, "hook_name": direction.hook_name}))
        for block, vector in vectors.items():
            writer.add_tensor(f"{TENSOR}{block}", vector.numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return write_bytes(Path(path), temporary.read_bytes())


def import_gguf(path: str | Path, *, layer: int | None = None) -> Direction:
    """Read a control vector; `layer` is the 0-based block to choose, where the file holds several without saying which.

    Raises:
        BadInput: it is no control vector, or it is not clear which block is meant.
        IntegrityError: it is damaged.
    """
    path, vectors = Path(path), {}
    try:
        reader = GGUFReader(path)
    except FileNotFoundError as error:
        raise BadInput(f"{path} is not there; name a .gguf file") from error
    except (ValueError, IndexError, KeyError, OSError) as error:  # what a torn header makes of the reader's arithmetic
        raise IntegrityError(f"{path} cannot be read as GGUF ({error}); export it again") from error
    architecture = reader.get_field("general.architecture")
    if architecture is None or architecture.contents() != ARCHITECTURE:
        seen = architecture.contents() if architecture else None
        raise BadInput(f"{path} has general.architecture={seen}; expected {ARCHITECTURE}, as repeng writes it")
    card = reader.get_field(CARD)
    hint = reader.get_field(f"{ARCHITECTURE}.model_hint")
    known = json.loads(card.contents()) if card else {"model": {"name": hint.contents() if hint else "unknown"}}
    for tensor in reader.tensors:
        number = tensor.name.removeprefix(TENSOR)
        if tensor.name == number or not number.isdecimal() or tensor.tensor_type not in PLAIN or tensor.data.ndim != 1:
            kind = f"{tensor.tensor_type.name} {list(tensor.data.shape)}"
            raise BadInput(f"{path} holds {tensor.name} ({kind}); expected direction.N, a row of float32 or float16")
        vectors[int(number)] = torch.from_numpy(np.array(tensor.data, dtype=np.float32))
    return from_blocks(vectors, layer, known, path)

"""Directions for lm-evaluation-harness, whose `--model steered` evaluates a model while something is done to it.

    lm_eval --model steered --model_args pretrained=MODEL,steer_path=FOLDER/steer.csv --tasks ...

The CSV names features of sparse autoencoders, so the direction is written as one with a single feature, in the format
of the sparsify package (`pip install eai-sparsify`), which is safetensors and JSON. That way lm-evaluation-harness
(0.4.13) offers `clamp` alone: it sets the part of a block's output along the direction to a value; 0 is ablation at
that block. Its `add` refuses every autoencoder that has a bias, and all of sparsify's do.

To add a vector it wants a `.pt` file, which is pickled and loaded as such; we write none. Whoever wants one makes it
from what `export_steering_vectors` has written (`h` in place of `layers` in GPT-2):

    import torch
    from safetensors.torch import load_file

    vectors = {name.rpartition(".")[2]: tensor for name, tensor in load_file("refusal.safetensors").items()}
    what = {"action": "add", "steering_coefficient": 1.0}
    torch.save({f"layers.{block}": {"steering_vector": v, **what} for block, v in vectors.items()}, "steer.pt")
"""

import csv
import io
from pathlib import Path

import torch

from latentmech.direction.direction import Direction
from latentmech.direction.formats.steering_vectors import Levels, block_vectors
from latentmech.storage import save_json, write_bytes
from latentmech.tensors import save_tensors

COLUMNS = ("loader", "action", "sparse_model", "hookpoint", "feature_index", "steering_coefficient", "description")
CODER = {"activation": "topk", "expansion_factor": 1, "normalize_decoder": True, "num_latents": 1, "k": 1}
CODER |= {"multi_topk": False, "skip_connection": False, "transcode": False}


def export_lm_eval(
    direction: Direction, folder: str | Path, value: float, *, levels: Levels = "chosen", blocks: str = "layers"
) -> Path:
    """Write `steer.csv`, which clamps the direction, and the one-feature autoencoders that it names; returns its path.

    Args:
        value: what the part along the unit vector is set to, in activation units.
        levels: clamp at the chosen block, or at every block along the vector of its own.
        blocks: what the model's own code calls its list of blocks, below the base model: `layers`, or `h` in GPT-2.

    Raises:
        BadInput: the direction is not at the output of a block.
    """
    folder = Path(folder).resolve()
    rows = []
    for block, vector in block_vectors(direction, levels).items():
        hookpoint = f"{blocks}.{block}"
        row, bias = (vector / vector.norm()).unsqueeze(0), {"encoder.bias": torch.zeros(1)}
        coder = bias | {"encoder.weight": row, "W_dec": row.clone(), "b_dec": torch.zeros(len(vector))}
        save_tensors(folder / hookpoint / "sae.safetensors", coder, {"name": direction.name})
        save_json(folder / hookpoint / "cfg.json", {**CODER, "d_in": len(vector)})
        rows.append(("sparsify", "clamp", str(folder), hookpoint, 0, value, direction.name))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    path = folder / "steer.csv"
    write_bytes(path, text.getvalue().encode())
    return path

"""nnsight's side of extract.py, run in nnsight's own environment: one pass over prepared batches whenever it is told.

    python nnsight_worker.py MODEL_FOLDER BATCHES.safetensors OUT.safetensors

Reads `run`, `save` or `stop` from standard input; answers with the seconds and the processor seconds that a pass
took. Batches, masks and wanted positions come from the caller, so that only the passes are nnsight's. The trace stops
before the head and keeps only the wanted rows: its quickest road to the same numbers.
"""

import sys
import time

import nnsight
import torch
from safetensors.torch import load_file, save_file


def main(folder, batches, out):
    """Load, then obey."""
    model = nnsight.TransformersModel(folder, task="text-generation", dtype=torch.float32, dispatch=True)
    pieces = grouped(load_file(batches))
    answer("ready")
    for line in sys.stdin:
        if line.strip() == "stop":
            return
        begin = time.perf_counter(), time.process_time()
        kept = one_pass(model, pieces)
        end = time.perf_counter(), time.process_time()
        if line.strip() == "save":
            save_file({"kept": kept}, out)
        answer(end[0] - begin[0], end[1] - begin[1])


def grouped(tensors):
    """The batches as dictionaries, in order."""
    pieces = {}
    for name, tensor in sorted(tensors.items()):
        number, key = name.split(".")
        pieces.setdefault(number, {})[key] = tensor
    return list(pieces.values())


def one_pass(model, pieces):
    """All batches; rows `[level, row, d_model]` in the order of the examples."""
    config = model.config
    rows = sum(len(piece["numbers"]) for piece in pieces)
    buffer = torch.empty(config.num_hidden_layers + 1, rows, config.hidden_size)
    with torch.inference_mode():
        for piece in pieces:
            for level, kept in enumerate(traced(model, piece)):
                buffer[level, piece["numbers"]] = kept
    return buffer


def traced(model, piece):
    """The wanted rows of the embedding and of every block's output."""
    place, last = piece["place"], piece["last"]
    with model.trace(input_ids=piece["ids"], attention_mask=piece["mask"], use_cache=False) as tracer:
        kept = nnsight.save([])
        kept.append(model.model.embed_tokens.output[place, last])
        for layer in model.model.layers:
            kept.append(layer.output[place, last])
        tracer.stop()
    return kept


def answer(*what):
    """One line that the caller waits for."""
    print("answer", *what, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

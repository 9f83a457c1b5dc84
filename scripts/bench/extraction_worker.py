"""nnsight's or pyvene's side of extract.py, each in its own environment: one pass over the batches when it is told.

    python extraction_worker.py TOOL MODEL_FOLDER BATCHES.safetensors OUT.safetensors DTYPE THREADS

Reads `run`, `save` or `stop` from standard input; answers with the seconds and the processor seconds that a pass
took. Batches, masks and wanted positions come from the caller, so that only the passes are the tool's, and only the
wanted rows are kept. nnsight's trace stops before the head; pyvene runs the model whole, its head on all tokens.
"""

import sys
import time
from importlib.metadata import version

import torch
from safetensors.torch import load_file, save_file


def main(tool, folder, batches, out, dtype, threads):
    """Load, then obey."""
    torch.set_num_threads(int(threads))
    one = TOOLS[tool](folder, getattr(torch, dtype))
    pieces = grouped(load_file(batches))
    one_pass(one, pieces[:1])
    answer(*(f"{name} {version(name)}" for name in (tool, "torch", "transformers")))
    for line in sys.stdin:
        if line.strip() == "stop":
            return
        begin = time.perf_counter(), time.process_time()
        kept = one_pass(one, pieces)
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


def one_pass(levels_of, pieces):
    """All batches; rows `[level, row, d_model]` in the order of the examples."""
    rows = 1 + max(int(piece["numbers"].max()) for piece in pieces)
    buffer = None
    with torch.inference_mode():
        for piece in pieces:
            for level, kept in enumerate(levels := levels_of(piece)):
                if buffer is None:
                    buffer = torch.empty(len(levels), rows, kept.shape[1])
                buffer[level, piece["numbers"]] = kept.float()
    return buffer


def with_nnsight(folder, dtype):
    """The wanted rows of the embedding and of every block's output, from one trace."""
    import nnsight

    model = nnsight.TransformersModel(folder, task="text-generation", dtype=dtype, dispatch=True)

    def levels(piece):
        place, last = piece["place"], piece["last"]
        with model.trace(input_ids=piece["ids"], attention_mask=piece["mask"], use_cache=False) as tracer:
            kept = nnsight.save([])
            kept.append(model.model.embed_tokens.output[place, last])
            for layer in model.model.layers:
                kept.append(layer.output[place, last])
            tracer.stop()
        return kept

    return levels


def with_pyvene(folder, dtype):
    """The same from interventions that look and change nothing, one at each block."""
    import pyvene
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    now, kept = {}, []

    def look(states, *_):
        kept.append(states[now["place"], now["last"]])
        return states

    places = ["model.embed_tokens.output", *(f"model.layers[{i}].output" for i in range(len(whole.model.layers)))]
    looking = pyvene.IntervenableModel([{"component": place, "intervention": look} for place in places], model=whole)

    def levels(piece):
        now.update(piece)
        kept.clear()
        looking({"input_ids": piece["ids"], "attention_mask": piece["mask"], "use_cache": False})
        return list(kept)

    return levels


TOOLS = {"nnsight": with_nnsight, "pyvene": with_pyvene}


def answer(*what):
    """One line that the caller waits for."""
    print("answer", *what, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""repeng's, steering-vectors' or pyvene's side of steer.py, each in its own environment: one steered generation a call.

    python steering_worker.py TOOL MODEL_FOLDER WORK.safetensors OUT.safetensors BLOCK TOKENS THREADS

Reads `run`, `save` or `stop` from standard input; answers with the seconds and the processor seconds that a generation
took. Prompts, mask and vector come from the caller. As everywhere in the comparison, the vector is set anew for every
generation, and no token ends a text.
"""

import contextlib
import sys
import time
from importlib.metadata import version

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM


def main(tool, folder, work, out, block, n_tokens, threads):
    """Load, then obey."""
    torch.set_num_threads(int(threads))
    given = load_file(work)
    steered = TOOLS[tool](loaded(folder), int(block), given["vector"])
    generated(steered, given, 2)
    answer(*(f"{name} {version(name)}" for name in (tool, "torch", "transformers", "numpy")))
    for line in sys.stdin:
        if line.strip() == "stop":
            return
        begin = time.perf_counter(), time.process_time()
        ids = generated(steered, given, int(n_tokens))
        end = time.perf_counter(), time.process_time()
        if line.strip() == "save":
            save_file({"ids": ids[:, given["ids"].shape[1] :].contiguous()}, out)
        answer(end[0] - begin[0], end[1] - begin[1])


def loaded(folder):
    """The model in float32, never ending a text by itself."""
    config = AutoConfig.from_pretrained(folder)
    if int(version("transformers").split(".")[0]) < 5:  # the folder is of a later one, which has another name for this
        config.rope_theta = config.rope_parameters["rope_theta"]
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    return model


def repeng(model, block, vector):
    """What repeng's README does: the model wrapped once, and a control set."""
    from repeng import ControlModel, ControlVector

    wrapped = ControlModel(model, [block])
    control = ControlVector(model_type=model.config.model_type, directions={block: vector.numpy()})

    @contextlib.contextmanager
    def steered():
        wrapped.set_control(control, 1.0)
        yield wrapped

    return steered


def steering_vectors(model, block, vector):
    """What steering-vectors' documentation does: generation inside `apply`."""
    from steering_vectors import SteeringVector

    steering = SteeringVector({block: vector}, "decoder_block")

    @contextlib.contextmanager
    def steered():
        with steering.apply(model):
            yield model

    return steered


def pyvene(model, block, vector):
    """What pyvene's tutorials do: an intervention at the block, wrapped around the model."""
    from types import SimpleNamespace

    from pyvene import IntervenableModel

    def generate(input_ids, attention_mask, **asked):
        place = {"component": f"model.layers[{block}].output", "intervention": lambda states, *_: states + vector}
        wrapped = IntervenableModel(place, model=model)
        base = {"input_ids": input_ids, "attention_mask": attention_mask}
        return wrapped.generate(base, intervene_on_prompt=True, **asked)[1]

    @contextlib.contextmanager
    def steered():
        yield SimpleNamespace(generate=generate)

    return steered


TOOLS = {"repeng": repeng, "steering-vectors": steering_vectors, "pyvene": pyvene}


def generated(steered, given, n_tokens):
    """Prompts and what follows them."""
    with steered() as model:
        return model.generate(
            input_ids=given["ids"], attention_mask=given["mask"], do_sample=False, max_new_tokens=n_tokens
        )


def answer(*what):
    """One line that the caller waits for."""
    print("answer", *what, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

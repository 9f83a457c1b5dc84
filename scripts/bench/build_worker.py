"""One process of some build of this package, or of plain vLLM in its environment; it works when it is told to.

    python build_worker.py TASK.json

The task names a model's folder, dtype and engine, and one of these:

rows       `ActivationStore.get` of all levels into an empty folder, checksums and fsync included
moments    `ActivationStore.moments` of the mean of each text at the same levels
bare       vLLM on the same tokens, its worker without our extension
lens       vllm-lens with every level of every token captured
packed     generation under every vector at once

Only what all builds have is imported at the top.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def main(path):
    """Load, then obey."""
    task = json.loads(Path(path).read_text())
    torch.set_num_threads(task["threads"])
    work = TASKS[task["what"]](task)
    check_tree(task)
    work()  # warms up
    answer(*(f"{name} {version(name)}" for name in ("torch", "transformers")))
    for line in sys.stdin:
        if line.strip() == "stop":
            return
        begin = time.perf_counter(), time.process_time()
        found = work()
        end = time.perf_counter(), time.process_time()
        if line.strip() == "save":
            save_file({name: tensor.contiguous() for name, tensor in found().items()}, task["out"])
        answer(end[0] - begin[0], end[1] - begin[1])


def check_tree(task):
    """A build that is not the one asked for measures nothing."""
    if (known := sys.modules.get("latentmech")) and not known.__file__.startswith(task["tree"]):
        raise SystemExit(f"latentmech comes from {known.__file__}, and not from {task['tree']}")


def model_of(task):
    """The folder's model in this build."""
    from latentmech.model import Local, Model

    engine = {"engine": task["engine"]} if task["engine"] != "transformers" else {}
    return Model(name=task["name"], source=Local(path=task["folder"]), dtype=task["dtype"], **engine)


def examples_of(task):
    """The sentences, evenly spread."""
    import numpy as np

    from latentmech.data import Corpus

    examples = Corpus(path=task["data"])()
    chosen = np.linspace(0, len(examples) - 1, min(task["texts"], len(examples)), dtype=int)
    return examples.select(chosen.tolist())


def rows(task):
    """All rows of all levels, on disk."""
    from latentmech.activations import ActivationStore
    from latentmech.model import levels_of

    model, examples, root = model_of(task), examples_of(task), Path(task["scratch"])
    levels = levels_of(model.n_layers)

    def work():
        shutil.rmtree(root, ignore_errors=True)
        with contextlib.redirect_stderr(io.StringIO()):  # the progress bar
            got = ActivationStore(root=str(root)).get(model, examples, levels)
        return lambda: {"kept": torch.stack([got.level(name).float() for name in got.hook_names])}

    return work


def moments(task):
    """Sums of all rows of all levels, on disk."""
    from latentmech.activations import ActivationStore
    from latentmech.model import levels_of

    if not hasattr(ActivationStore, "moments"):
        raise SystemExit("this build takes no moments from the forward")
    from latentmech.activations import Streamed
    from latentmech.data import TextStream

    model, root = model_of(task), Path(task["scratch"])
    levels = levels_of(model.n_layers)
    source = Path(task["scratch"]).with_suffix(".jsonl")
    texts = examples_of(task).texts
    source.write_text("".join(json.dumps({"id": f"{i}", "text": text}) + "\n" for i, text in enumerate(texts)))

    def work():
        shutil.rmtree(root, ignore_errors=True)
        with contextlib.redirect_stderr(io.StringIO()):
            ActivationStore(root=str(root)).moments(model, Streamed(TextStream(source), model), levels, "text_mean")
        return dict

    return work


def bare(task, **extension):
    """vLLM alone: every text a request for one token."""
    from latentmech.model.vllm.boot import ENVIRONMENT, arguments

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from vllm import LLM, SamplingParams

    model = model_of(task)
    llm = LLM(model=task["folder"], dtype=task["dtype"], enforce_eager=True, disable_log_stats=True, **arguments(model))
    prompts = [{"prompt_token_ids": ids} for ids in task["ids"]]
    asked = SamplingParams(temperature=0, max_tokens=1, ignore_eos=True, detokenize=False, **extension)

    def work():
        llm.generate(prompts, asked, use_tqdm=False)
        return dict

    return work


def lens(task):
    """vllm-lens: every level of every token, as its documentation asks for it."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1"}
    from vllm import LLM, SamplingParams

    llm = LLM(model=task["folder"], dtype=task["dtype"], enforce_eager=True, max_model_len=1024,
              kv_cache_memory_bytes=2**29, enable_prefix_caching=False)  # fmt: skip
    asked = SamplingParams(temperature=0, max_tokens=1, ignore_eos=True,
                           extra_args={"output_residual_stream": list(range(task["n_layers"]))})  # fmt: skip
    prompts = [{"prompt_token_ids": ids} for ids in task["ids"]]

    def work():
        outputs = llm.generate(prompts, asked, use_tqdm=False)
        if not getattr(outputs[0], "activations", None):
            raise SystemExit("vllm-lens gave no activations")
        return dict

    return work


def packed(task):
    """All vectors at once; tokens `[vector * prompt, new]`."""
    from latentmech.model import Batch
    from latentmech.steering import Addition

    model, given = model_of(task), load_file(task["given"])
    batch = Batch(given["ids"], given["mask"], given["shift"])
    variants = [{task["hook"]: Addition(vector)} for vector in given["vectors"]]
    if task["engine"] == "transformers":
        from latentmech.model import packed_generate

        def run():
            return packed_generate(model, variants, batch, task["tokens"], stop=())
    else:
        from latentmech.model import engine_of

        def run():
            return engine_of(model).generate(variants, batch, task["tokens"], stop=())

    def work():
        found = run()
        return lambda: {"ids": torch.cat([own.ids for own in found])}

    return work


TASKS = {"rows": rows, "moments": moments, "bare": bare, "lens": lens, "packed": packed}


def answer(*what):
    """One line that the caller waits for."""
    print("answer", *what, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

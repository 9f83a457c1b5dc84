"""vLLM, started with the worker extension in it: in this process, on the folder that the model's source gives."""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from latentmech.errors import BadInput, ResourceError, first_line
from latentmech.model.handle import Model

EXTENSION = "latentmech.model.vllm.worker.LatentmechExtension"
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TORCH_CPP_LOG_LEVEL": "ERROR",  # of workers that are processes of their own
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_PLUGINS": "none",  # TransformerLens has one, for a road of its own
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # by the one token that follows a text which fills the context
}
FIXED = ("model", "dtype", "enforce_eager", "worker_extension_cls", "trust_remote_code", "load_format", "seed")
CACHE_BYTES = (2**29, 2**32)  # least and most of keys and values, on a CPU
ROWS_AT_ONCE = 4096  # of tokens kept in the cache, beside one text of the longest kind


def booted(model: Model) -> Any:
    """vLLM's `LLM` for this model, the same for every handle on it.

    Raises:
        BadInput: vLLM is not installed, or cannot run the model.
        ResourceError: it does not fit into memory.
    """
    weights = model.checkpoint.weights_sha256  # a folder may be written anew
    return _booted(model.checkpoint.folder, weights, model.dtype, json.dumps(arguments(model), sort_keys=True))


def arguments(model: Model) -> dict[str, Any]:
    """What vLLM is told beside folder and dtype.

    Raises:
        BadInput: an argument that is not the user's to set.
    """
    asked = dict(model.engine_arguments or {})
    if taken := sorted(set(asked) & set(FIXED)):
        raise BadInput(
            f"model.engine_arguments has {taken[0]}, which model.dtype, model.source or the hooks settle; leave it out"
        )
    return _sizes(model) | {"max_num_seqs": 256, "max_num_batched_tokens": 2048, "enable_prefix_caching": False} | asked


def _sizes(model: Model) -> dict[str, Any]:
    """Room for keys and values: on a CPU for one text of the longest kind and a few thousand tokens."""
    if not _on_cpu():
        return {"max_model_len": model.n_ctx + 1}
    per_token = bytes_per_token(model)
    needed = (model.n_ctx + 1 + ROWS_AT_ONCE) * per_token
    room = min(max(needed, CACHE_BYTES[0]), CACHE_BYTES[1])
    return {"max_model_len": min(model.n_ctx + 1, room // per_token - 256), "kv_cache_memory_bytes": room}


def bytes_per_token(model: Model) -> int:
    """What keys and values of one token take, over all blocks."""
    import torch

    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or model.d_model // config.num_attention_heads
    return int(2 * model.n_layers * heads * width * getattr(torch, model.dtype).itemsize)


def _on_cpu() -> bool:
    _installed()
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def _installed() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # tensors come back from another process as something else
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        raise BadInput(
            f"model.engine=vllm: vLLM cannot be imported here ({first_line(error)}); scripts/venv vllm installs it"
        ) from error


@contextmanager
def _hushed() -> Iterator[None]:
    """While it is open, what compiled code says on standard error is dropped, such as which memory it is bound to."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _forget_groups() -> None:
    """A model with experts wants one group of workers more than an engine without them has made in this process."""
    from vllm.distributed import parallel_state

    if parallel_state.model_parallel_is_initialized():
        parallel_state.destroy_model_parallel()


@cache
def _booted(folder: Path, weights: str, dtype: str, asked: str) -> Any:
    del weights
    _installed()
    from vllm import LLM, SamplingParams

    from latentmech.model.weights import quiet

    _forget_groups()
    try:
        with quiet(), nullcontext() if "parallel_size" in asked else _hushed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            llm = LLM(
                model=str(folder), dtype=dtype, enforce_eager=True, worker_extension_cls=EXTENSION,
                trust_remote_code=False, load_format="safetensors", skip_tokenizer_init=True, disable_log_stats=True,
                use_tqdm_on_load=False,
                **json.loads(asked),
            )  # fmt: skip
            llm.collective_rpc("latentmech_open")
            # What the kernels of this machine cannot do, they say when they are run.
            llm.generate([{"prompt_token_ids": [0]}], SamplingParams(max_tokens=1, detokenize=False), use_tqdm=False)
    except MemoryError as error:
        raise ResourceError(
            f"{folder} does not fit into memory under vLLM; set model.dtype=bfloat16, or spread it by "
            "model.engine_arguments={tensor_parallel_size: 2}"
        ) from error
    except Exception as error:
        raise BadInput(
            f"vLLM cannot run {folder} ({type(error).__name__}: {first_line(error)}); set model.engine=transformers"
        ) from error
    return llm

"""Small random checkpoints that vLLM can run on a CPU, and both engines on one of them; skipped where it is not there.

Its attention wants heads of 32 dimensions or more. All engines live in one process, each with little room for keys and
values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import SPECIAL, write_random
from transformers import Gemma3TextConfig, GPT2Config, LlamaConfig, MixtralConfig, Qwen3Config

from latentmech.model import (
    Addition,
    Clamp,
    Composed,
    Conditional,
    Local,
    Model,
    Request,
    Rotation,
    Scope,
    levels_of,
    pad,
    tokenise,
)
from latentmech.model.edits import Ablation, AffineAblation
from latentmech.model.engine import TransformersEngine
from latentmech.model.vllm import VllmEngine

pytest.importorskip("vllm", reason="scripts/venv vllm installs it")

ROOM = {"kv_cache_memory_bytes": 2**24}
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2}
SHARED = SIZES | {"num_key_value_heads": 1, "vocab_size": 259, "max_position_embeddings": 256} | SPECIAL
CONFIGS = {
    "llama": lambda: LlamaConfig(**SHARED),
    "gpt2": lambda: GPT2Config(n_layer=3, n_embd=64, n_head=2, n_positions=256, vocab_size=259, **SPECIAL),
    "gemma3": lambda: Gemma3TextConfig(**SHARED, head_dim=32, sliding_window=8, query_pre_attn_scalar=32),
    "qwen3": lambda: Qwen3Config(**SHARED, head_dim=32),
    "mixtral": lambda: MixtralConfig(**SHARED, num_local_experts=4, num_experts_per_tok=2),
}
TEXTS = (
    "the king saw a small cat",
    "a dog",
    "the queen and the king saw the old river near a small house, and the dog ran to the river with a cat",
    "naïve café, 東京",
)
LONG = tuple(" ".join(TEXTS[:3])[i : i + 100 + 3 * i] for i in range(10))
CPU = torch.device("cpu")
CLOSE = 1e-5
SCOPES = (Scope(), Scope(prompt=False), Scope(generated=False, first=1), Scope(last=3))


@dataclass(frozen=True)
class Both:
    """One model, as the reference has it and as vLLM has it."""

    reference: TransformersEngine
    own: VllmEngine

    @property
    def model(self) -> Model:
        return self.reference.model

    @property
    def scheduler(self):
        """vLLM's, in this process."""
        return self.own.llm.llm_engine.engine_core.engine_core.scheduler


def written(folder: Path, architecture: str, seed: int = 0) -> Path:
    return write_random(folder / f"{architecture}-{seed}", CONFIGS[architecture](), seed)


def both(folder: Path, dtype: str = "float32", **arguments) -> Both:
    source, told = Local(path=str(folder)), ROOM | arguments
    own = Model(source=source, dtype=dtype, engine="vllm", engine_arguments=told)
    return Both(TransformersEngine(Model(source=source, dtype=dtype)), VllmEngine(own))


def rows_of(engine, texts=TEXTS, pooling="last", spans=None, hook_names=None):
    """`[level, row, d_model]` at every level, of whole texts or of spans of their tokens."""
    model = engine.model
    tokens = tokenise(model, list(texts), list(texts))
    if spans is None:
        spans = [(i, 0, n - 1) for i, n in enumerate(tokens.lengths)]
    names = hook_names or tuple(level.hook_name for level in levels_of(model.n_layers))
    rows = np.repeat(np.array(spans), len(pooling.split("+")), axis=0)
    request = Request(model=model, tokens=tokens, rows=rows, hook_names=names, pooling=pooling)
    order = sorted(range(len(texts)), key=lambda i: -tokens.lengths[i])
    buffer = torch.full((len(names), len(rows), model.d_model), float("nan"), dtype=getattr(torch, model.dtype))
    engine.read(request, order, buffer.unbind())
    return buffer[:, np.argsort(request.rows_in(order))]


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest |difference| / |expected| of a vector; NaN where one is."""
    found, expected = found.float(), expected.float()
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def batch_of(engine, texts=TEXTS):
    return pad(tokenise(engine.model, list(texts), list(texts)).ids, 0, "left", CPU)


def same(found, expected) -> bool:
    return all(
        torch.equal(a.ids, b.ids) and torch.equal(a.lengths, b.lengths) for a, b in zip(found, expected, strict=True)
    )


def variants_of(model: Model, states: torch.Tensor) -> list[dict]:
    """Edits of every kind at every kind of place, as long as the states in the middle are."""
    drawn, layer = torch.randn(2, model.d_model, generator=torch.Generator().manual_seed(1)), model.n_layers // 2
    unit, other = drawn / drawn.norm(dim=1, keepdim=True)
    size = float(states[layer + 1].norm(dim=1).median())
    post, add = f"blocks.{layer}.hook_resid_post", Addition(size * unit)
    parts = [f"blocks.{i}.hook_{part}" for i in range(model.n_layers) for part in ("attn_out", "mlp_out")]
    kinds = [
        add,
        Rotation(size * unit),
        Clamp(unit, size),
        Ablation(unit),
        AffineAblation(unit, states[layer + 1].mean(0)),
    ]
    kinds += [
        Conditional(add, other, 0.0),
        Conditional(add, other, 0.1, "projection"),
        Composed((add, Rotation(other))),
    ]
    places = ["blocks.0.hook_resid_pre", f"blocks.{layer}.hook_resid_pre", parts[0], parts[-1]]
    everywhere = dict.fromkeys(["blocks.0.hook_resid_pre", *parts], Ablation(unit))
    last = f"blocks.{model.n_layers - 1}.hook_resid_post"
    return [
        {},
        *({post: kind} for kind in kinds),
        *({place: add} for place in places),
        everywhere,
        {post: add, last: add},
    ]


@contextmanager
def preempted(engines: Both) -> Iterator[list[str]]:
    """While it is open, the requests that vLLM puts back into its queue are noted."""
    scheduler, names = engines.scheduler, list[str]()
    put_back = scheduler._preempt_request

    def noted(request, *args, **kwargs):
        names.append(request.request_id)
        return put_back(request, *args, **kwargs)

    scheduler._preempt_request = noted
    try:
        yield names
    finally:
        scheduler._preempt_request = put_back

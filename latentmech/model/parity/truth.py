"""What plain transformers computes: one text at a time, without padding or cache, in eager attention.

Nothing of TransformerLens and nothing of ours is in it but the tokens: the weights are read from the model's folder
once more, and hooks are torch's own, on the list of blocks that transformers' backbone walks through.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentmech.errors import BadInput, LatentmechError, ResourceError, first_line
from latentmech.model.batching import out_of_memory
from latentmech.model.handle import Model
from latentmech.model.precision import SMALLER, free_memory
from latentmech.model.tokens import tokenise
from latentmech.model.weights import load_weights

TEXTS = (
    "No, thanks.",
    "naïve café, 東京",
    "The capital of France is Paris, and that of Sweden is Stockholm.",
)
Ids = tuple[Int[np.ndarray, "_"], ...]
ROOM = 1.2  # what weights take in memory, with what runs beside them
LENGTH = 0.5  # of the vector that is added, in median norms of the states there


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What was computed, in float32 on the CPU; entry `i` of each tuple belongs to text `i`.

    Attributes:
        ids: the texts.
        states: the embedding and what every block returns, the last one before the final norm.
        logits: at every token.
        layer: the block behind which `vector` is added.
        edited: logits at the last token with the vector added at every token.
        steps: greedy continuation of the first texts: the logits that each new token was taken from.
        earlier: the largest relative change of a state when the tokens behind it are left out.
        unrounded: the states of the unquantised weights in float32, or why there are none; None where they are these.
    """

    ids: Ids
    states: tuple[Float[Tensor, "level _ d_model"], ...]
    logits: tuple[Float[Tensor, "_ vocab"], ...]
    layer: int
    vector: Float[Tensor, " d_model"]
    edited: tuple[Float[Tensor, " vocab"], ...]
    steps: tuple[Float[Tensor, "step vocab"], ...]
    earlier: float
    unrounded: tuple[Float[Tensor, "level _ d_model"], ...] | str | None = None


def truth_of(model: Model, texts: Sequence[str] = TEXTS, n_tokens: int = 5, continued: int | None = 2) -> Truth:
    """Load the plain model, run the texts, and let it go.

    Args:
        n_tokens: how far a text is continued.
        continued: how many of them are, from the first; None for all.

    Raises:
        IntegrityError: tensors are missing.
        BadInput: transformers cannot run it.
        ResourceError: it does not fit into memory.
    """
    ids = tokenise(model, texts, texts).ids
    try:
        return replace(_truth_of(model, ids, n_tokens, continued), unrounded=_unrounded(model, ids))
    except LatentmechError:
        raise
    except Exception as error:
        if out_of_memory(error):
            seen = f"{model.name} does not fit into the memory of {model.torch_device}"
            raise ResourceError(f"{seen}; {SMALLER}") from error
        kind = f"{type(error).__name__}, {first_line(error)}"
        raise BadInput(f"transformers cannot run {model.name}, so nothing can be compared with it: {kind}") from error


def _truth_of(model: Model, ids: Ids, n_tokens: int, continued: int | None) -> Truth:
    hf = plain_model(model)
    blocks = blocks_of(hf, model.n_layers)
    device, layer = model.torch_device, (model.n_layers - 1) // 2
    rows = [torch.from_numpy(row).to(device)[None] for row in ids]
    with torch.inference_mode():
        states, logits = zip(*(_run(hf, blocks, row) for row in rows), strict=True)
        vector = _vector(torch.cat([s[layer + 1] for s in states]))
        with _added(blocks[layer], vector.to(device, getattr(torch, model.dtype))):
            edited = tuple(hf(row).logits[0, -1].float().cpu() for row in rows)
        steps = tuple(_greedy(hf, row, n_tokens) for row in rows[:continued])
        longest = max(range(len(rows)), key=lambda i: rows[i].shape[1])
        half = rows[longest].shape[1] // 2
        alone, _ = _run(hf, blocks, rows[longest][:, : max(half, 1)])
        together = states[longest][:, : alone.shape[1]]
    earlier = float(((alone - together).norm(dim=-1) / together.norm(dim=-1).clamp(min=1e-30)).max())
    return Truth(
        ids=ids, states=states, logits=logits, layer=layer, vector=vector, edited=edited, steps=steps, earlier=earlier
    )


def _unrounded(model: Model, ids: Ids) -> tuple[Tensor, ...] | str | None:
    if model.dtype == "float32" and model.quantization == "none":
        return None
    needed, there = model.checkpoint.n_weights * torch.float32.itemsize, free_memory(model.torch_device)
    if needed * ROOM > there:
        return f"float32 weights of {needed / 2**30:.1f} GiB do not fit into {there / 2**30:.1f} GiB"
    hf = load_weights(
        "AutoModelForCausalLM", model.checkpoint, "float32", model.torch_device, attn_implementation="eager"
    )
    blocks, device = blocks_of(hf, model.n_layers), model.torch_device
    with torch.inference_mode():
        return tuple(_run(hf, blocks, torch.from_numpy(row).to(device)[None])[0] for row in ids)


def plain_model(model: Model) -> Any:
    """transformers' own model from the folder, kept as the model asks for it, untouched by TransformerLens.

    Raises:
        IntegrityError: tensors are missing.
    """
    eager = {"attn_implementation": "eager"}
    checkpoint, device = model.checkpoint, model.torch_device
    return load_weights("AutoModelForCausalLM", checkpoint, model.dtype, device, **model.as_kept, **eager)


def blocks_of(hf: Any, n_layers: int) -> nn.ModuleList:
    """The list of blocks: the first list of modules as long as the model is deep.

    Raises:
        BadInput: there is none.
    """
    for module in hf.modules():
        if isinstance(module, nn.ModuleList) and len(module) == n_layers:
            return module
    raise BadInput(f"{type(hf).__name__} has no list of {n_layers} blocks, so its states cannot be compared")


def _run(hf: Any, blocks: nn.ModuleList, row: Int[Tensor, "1 pos"]) -> tuple[Tensor, Tensor]:
    """States `[level, pos, d_model]` and logits `[pos, vocab]` of one text."""
    found: list[Tensor] = []

    def before(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del block
        found.append(args[0] if args else kwargs["hidden_states"])

    def after(block: nn.Module, args: object, output: Any) -> None:
        del block, args
        found.append(_stream(output))

    handles = [blocks[0].register_forward_pre_hook(before, with_kwargs=True)]
    handles += [block.register_forward_hook(after) for block in blocks]
    try:
        logits = hf(row, use_cache=False).logits[0]
    finally:
        for handle in handles:
            handle.remove()
    if strange := [list(state.shape) for state in found if state.ndim != 3]:
        raise BadInput(f"{type(hf).__name__} hands on {strange[0]} from block to block, which is no residual stream")
    return torch.stack([state[0].float().cpu() for state in found]), logits.float().cpu()


def _stream(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _vector(states: Float[Tensor, "token d_model"]) -> Float[Tensor, " d_model"]:
    drawn = torch.randn(states.shape[1], generator=torch.Generator().manual_seed(0))
    return drawn / drawn.norm() * states.norm(dim=1).median() * LENGTH


@contextmanager
def _added(block: nn.Module, vector: Float[Tensor, " d_model"]) -> Iterator[None]:
    """While it is open, the block returns more by the vector at every token."""

    def more(module: nn.Module, args: object, output: Any) -> Any:
        del module, args
        if isinstance(output, Tensor):
            return output + vector
        return type(output)([output[0] + vector, *output[1:]])

    handle = block.register_forward_hook(more)
    try:
        yield
    finally:
        handle.remove()


def _greedy(hf: Callable[..., Any], row: Int[Tensor, "1 pos"], n_tokens: int) -> Float[Tensor, "step vocab"]:
    """The logits of every step, the whole text run again for each."""
    found = []
    for _ in range(n_tokens):
        found.append(hf(row, use_cache=False).logits[0, -1].float().cpu())
        row = torch.cat([row, found[-1].argmax()[None, None].to(row)], 1)
    return torch.stack(found)

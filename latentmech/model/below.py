"""Blocks below the lowest edit, run once for all variants of a model on the same texts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from latentmech.model.batching import Batch
from latentmech.model.generation import Runner, lengths_of
from latentmech.model.handle import Model
from latentmech.model.intervention import places_of
from latentmech.model.scope import Edit

if TYPE_CHECKING:
    from transformers import DynamicCache


@contextmanager
def run_below(
    runner: Runner,
    batch: Batch,
    columns: tuple[int, int],
    n_blocks: int,
    times: int,
    cache: "DynamicCache | None" = None,
) -> Iterator[list[Any]]:
    """While it is open, the lowest `n_blocks` return what they return for `batch`, `times` over; they have run once.

    Args:
        columns: of the batch, from where to where they are run.
        cache: that of the columns before, if keys and values are wanted.

    Yields:
        Keys and values of those blocks for all rows, one layer of a cache each.
    """
    if n_blocks == 0:
        yield []
        return
    runner.take(batch, lengths_of(batch))
    output = _output_of(runner, columns, n_blocks, cache)
    rows = torch.arange(len(batch.ids)).repeat(times)  # on the host: blocks may lie on several devices
    below: list[Any] = [] if cache is None else cache.layers[:n_blocks]
    for layer in below:
        layer.batch_select_indices(rows)
    with _given(runner.model, n_blocks, output, rows):
        yield below


def shareable_blocks(model: Model, variants: Sequence[Mapping[str, Edit]]) -> int:
    """How many blocks, from the lowest, no variant edits anything in or before; none where blocks cannot be shared."""
    if not can_share(model):
        return 0
    places = [place for variant in variants for place in places_of(variant, model.n_layers)]
    return min((below for below, _ in places), default=model.n_layers)


def can_share(model: Model) -> bool:
    """Blocks must hand on one residual stream, and keep keys and values of their own, in a form that is known here."""
    from transformers.cache_utils import DynamicSlidingWindowLayer

    from latentmech.model.kv_cache import RoomyLayer, new_cache

    known = all(type(layer) in (RoomyLayer, DynamicSlidingWindowLayer) for layer in new_cache(model).layers)
    single = all(getattr(block, "hook_out_is_single_residual_stream", False) for block in model.bridge.blocks)
    return known and single and not getattr(model.config, "num_kv_shared_layers", 0)


def _unchanged(resid: Tensor) -> Tensor:
    return resid


class _Reached(Exception):
    """The last block wanted has run; carries what it returned."""

    def __init__(self, output: Any):
        super().__init__()
        self.output = output


def _output_of(runner: Runner, columns: tuple[int, int], n_blocks: int, cache: "DynamicCache | None") -> Any:
    """What the last of the lower blocks returns; the blocks above are not run."""

    def reached(block: nn.Module, args: object, output: Any) -> None:
        del block, args
        raise _Reached(output)

    handle = _layers(runner.model)[n_blocks - 1].register_forward_hook(reached)
    try:
        runner.backbone(*columns, cache, edited=False)
    except _Reached as end:
        return end.output
    finally:
        handle.remove()
    raise AssertionError("the backbone ran past its own blocks")


class _Passing(nn.Module):
    """A block left out: it returns what it is given, or the residual stream it is to give, as the block would.

    Args:
        output: what the block returned, for its form: a tensor, or a tuple that begins with one.
        give: takes what the block is given, and returns what goes on.
    """

    def __init__(self, output: Any, give: Callable[[Tensor], Tensor]):
        super().__init__()
        self._others = None if isinstance(output, Tensor) else (None,) * (len(output) - 1)
        self._give = give

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The residual stream, in the block's form."""
        resid = self._give(args[0] if args else kwargs["hidden_states"])
        return resid if self._others is None else (resid, *self._others)


@contextmanager
def _given(model: Model, n_blocks: int, output: Any, rows: Int[Tensor, " row"]) -> Iterator[None]:
    """While it is open, the lower blocks are left out; the last gives `rows` of its output, through its hook."""
    layers = _layers(model)
    blocks = {str(i): layers[i] for i in range(n_blocks)}
    resid = (output if isinstance(output, Tensor) else output[0])[rows]
    point: Any = getattr(layers[n_blocks - 1], "hook_out", _unchanged)  # only a block that is heard has one
    try:
        layers._modules.update({name: _Passing(output, _unchanged) for name in blocks})
        layers._modules[str(n_blocks - 1)] = _Passing(output, lambda _: point(resid))
        yield
    finally:
        layers._modules.update(blocks)


def _layers(model: Model) -> nn.ModuleList:
    """The list that transformers' backbone walks through."""
    bridge: Any = model.bridge
    return bridge.original_model.get_submodule(bridge.adapter.component_mapping["blocks"].name)

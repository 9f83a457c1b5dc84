"""Many edits of the same prompts at once, with everything below the lowest edit computed once for all of them.

A sweep runs the same prompts under many strengths or many random directions. Run as one batch they take a fraction of
the time that they take in turn, and the blocks below the edit see the same tokens every time: they run once, and what
they return, with their keys and values, is handed to every variant.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentmech.errors import BadInput, ResourceError
from latentmech.model.batching import Batch, out_of_memory
from latentmech.model.doors import intervening
from latentmech.model.generation import Generated, Runner, lengths_of, with_room
from latentmech.model.handle import Model
from latentmech.model.intervention import places_of
from latentmech.model.parity import trusted
from latentmech.model.scope import Edit, Scope
from latentmech.tensors import finite

if TYPE_CHECKING:
    from transformers import DynamicCache

Variant = Mapping[str, Edit]
Part = Callable[[Sequence[Variant], slice], tuple[Tensor, ...]]


def packed_logits(
    model: Model,
    variants: Sequence[Variant],
    batch: Batch,
    keep: int | Int[Tensor, "batch kept"] = 1,
    *,
    n_prompt: Int[Tensor, " batch"] | None = None,
    scope: Scope = Scope(),  # noqa: B008
) -> Float[Tensor, "variant batch kept vocab"]:
    """`Runner.logits` of the same texts under every variant.

    Args:
        variants: the edits of each, by hook name; one without edits is the model as it is. An edit is given the rows
            of its own variant, `[batch, pos, d_model]`.
        n_prompt: length of each text's prompt, where the texts are prompts with continuations.

    Raises:
        BadInput: as `intervening` and `Runner.logits` raise it.
        ResourceError: a single text does not fit into memory.
    """
    lengths = lengths_of(batch) if n_prompt is None else n_prompt
    batch = batch if trusted(model).left_padding else batch.right_padded()

    def run(some: Sequence[Variant], rows: slice) -> tuple[Tensor, ...]:
        part, times, n_blocks = _rows(batch, rows), len(some), _shareable_blocks(model, some)
        kept = keep if isinstance(keep, int) else repeat(keep[rows], "batch kept -> (times batch) kept", times=times)
        with (
            intervening(model, _side_by_side(some), scope) as runner,
            _shared(runner, part, part.ids.shape[1], n_blocks, times),
        ):
            found = runner.logits(_repeated(part, times), kept, lengths[rows].repeat(times))
        return (_apart(_sound(model, found), times),)

    return _halving(run, _checked(variants), slice(0, len(batch.ids)))[0]


def packed_generate(
    model: Model,
    variants: Sequence[Variant],
    batch: Batch,
    n_tokens: int,
    *,
    stop: Sequence[int] | None = None,
    scope: Scope = Scope(),  # noqa: B008
) -> tuple[Generated, ...]:
    """`Runner.generate` of the same prompts under every variant, in one batch; see `packed_logits`."""
    from latentmech.model.kv_cache import new_cache

    if not trusted(model).is_quick:
        return tuple(_one_by_one(model, _checked(variants), batch, n_tokens, stop, scope))

    def run(some: Sequence[Variant], rows: slice) -> tuple[Tensor, ...]:
        part, times = with_room(model, _rows(batch, rows), n_tokens), len(some)
        cache, n_blocks = new_cache(model, n_tokens), _shareable_blocks(model, some)
        width = part.ids.shape[1] - n_tokens
        with intervening(model, _side_by_side(some), scope) as runner:
            with _shared(runner, part, width, n_blocks, times, new_cache(model, n_tokens)) as below:
                runner.take(_repeated(part, times), lengths_of(batch)[rows].repeat(times))
                first = runner.prefill(n_tokens, cache)
            cache.layers[: len(below)] = below
            found = runner.decode(_sound(model, first), n_tokens, cache, stop)
        return tuple(_apart(part, times) for part in (found.ids, found.lengths, found.first_logits))

    found = _halving(run, _checked(variants), slice(0, len(batch.ids)))
    return tuple(Generated(*parts) for parts in zip(*found, strict=True))


def _sound(model: Model, logits: Tensor) -> Tensor:
    remedy = "its activations overflow" if model.dtype != "float32" else "its weights or an edit are no numbers"
    return finite(
        logits, f"what {model.name} says in {model.dtype}", f"{remedy}; set model.dtype=float32, or edit less"
    )


def _one_by_one(
    model: Model, variants: Sequence[Variant], batch: Batch, n_tokens: int, stop: Sequence[int] | None, scope: Scope
) -> Iterator[Generated]:
    """The same on the slow road."""
    for variant in variants:
        with intervening(model, variant, scope) as runner:
            found = runner.generate(batch, n_tokens, stop=stop)
            _sound(model, found.first_logits)
            yield found


def _checked(variants: Sequence[Variant]) -> Sequence[Variant]:
    if not variants:
        raise BadInput("there are no variants to run; an empty mapping stands for the model as it is")
    return variants


def _halving(run: Part, variants: Sequence[Variant], rows: slice) -> tuple[Tensor, ...]:
    """What `run` gives, each `[variant, batch, ...]`; from halves of it, if it does not fit into memory."""
    try:
        return run(variants, rows)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        if len(variants) == 1 and rows.stop - rows.start == 1:
            raise ResourceError("one text does not fit into memory; shorten it, or set model.dtype=bfloat16") from error
    halves: list[tuple[Sequence[Variant], slice]]
    if rows.stop - rows.start > 1:
        middle, axis = (rows.start + rows.stop) // 2, 1
        halves = [(variants, slice(rows.start, middle)), (variants, slice(middle, rows.stop))]
    else:
        middle, axis = len(variants) // 2, 0
        halves = [(variants[:middle], rows), (variants[middle:], rows)]
    return tuple(torch.cat(two, axis) for two in zip(*(_halving(run, *half) for half in halves), strict=True))


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(batch.ids[rows], batch.mask[rows], batch.shift[rows])


def _repeated(batch: Batch, times: int) -> Batch:
    """All prompts of the first variant, then all of the second; a copy, for new tokens are written into it."""
    return Batch(batch.ids.repeat(times, 1), batch.mask.repeat(times, 1), batch.shift.repeat(times))


def _apart(rows: Float[Tensor, "rows *rest"] | Int[Tensor, "rows *rest"], times: int) -> Tensor:
    """What all variants gave in one batch, as `[variant, batch, ...]`."""
    return rearrange(rows, "(times batch) ... -> times batch ...", times=times)


def _side_by_side(variants: Sequence[Variant]) -> dict[str, Edit]:
    """One edit per hook point, which gives every variant its own rows."""
    names = dict.fromkeys(name for variant in variants for name in variant)

    def edit(name: str, resid: Tensor) -> Tensor:
        own = zip(variants, resid.chunk(len(variants)), strict=True)
        return torch.cat([variant.get(name, _unchanged)(rows) for variant, rows in own])

    return {name: partial(edit, name) for name in names}


def _unchanged(resid: Tensor) -> Tensor:
    return resid


@contextmanager
def _shared(
    runner: Runner, batch: Batch, width: int, n_blocks: int, times: int, cache: "DynamicCache | None" = None
) -> Iterator[list[Any]]:
    """While it is open, the lowest `n_blocks` return what they return for `batch`, `times` over; they have run once.

    Args:
        width: how many columns of the batch to run.
        cache: an empty one, if keys and values are wanted.

    Yields:
        Keys and values of those blocks for all rows, one layer of a cache each.
    """
    if n_blocks == 0:
        yield []
        return
    runner.take(batch, lengths_of(batch))
    output = _run_below(runner, width, n_blocks, cache)
    rows = torch.arange(len(batch.ids)).repeat(times)  # on the host: blocks may lie on several devices
    below: list[Any] = [] if cache is None else cache.layers[:n_blocks]
    for layer in below:
        layer.batch_select_indices(rows)
    with _given(runner.model, n_blocks, output, rows):
        yield below


def _shareable_blocks(model: Model, variants: Sequence[Variant]) -> int:
    """How many blocks, from the lowest, no variant edits anything in or before; none where blocks cannot be shared."""
    if not _can_share(model):
        return 0
    places = [place for variant in variants for place in places_of(variant, model.n_layers)]
    return min((below for below, _ in places), default=model.n_layers)


def _can_share(model: Model) -> bool:
    """Blocks must hand on one residual stream, and keep keys and values of their own, in a form that is known here."""
    from transformers.cache_utils import DynamicSlidingWindowLayer

    from latentmech.model.kv_cache import RoomyLayer, new_cache

    known = all(type(layer) in (RoomyLayer, DynamicSlidingWindowLayer) for layer in new_cache(model).layers)
    single = all(getattr(block, "hook_out_is_single_residual_stream", False) for block in model.bridge.blocks)
    return known and single and not getattr(model.config, "num_kv_shared_layers", 0)


class _Reached(Exception):
    """The last block wanted has run; carries what it returned."""

    def __init__(self, output: Any):
        super().__init__()
        self.output = output


def _run_below(runner: Runner, width: int, n_blocks: int, cache: "DynamicCache | None") -> Any:
    """What the last of the lower blocks returns; the blocks above are not run."""

    def reached(block: nn.Module, args: object, output: Any) -> None:
        del block, args
        raise _Reached(output)

    handle = _layers(runner.model)[n_blocks - 1].register_forward_hook(reached)
    try:
        runner.untouched(width, cache)
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

"""Many edits of the same prompts at once, with everything below the lowest edit computed once for all of them.

A sweep runs the same prompts under many strengths or many random directions. Run as one batch they take a fraction of
the time that they take in turn, and the blocks below the edit see the same tokens every time: they run once, and what
they return, with their keys and values, is handed to every variant (`below.py`). What all prompts begin with, such as
the system part of a chat, is run once for each variant, and not once for each prompt (`beginning.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.errors import BadInput, ResourceError
from latentmech.model.batching import Batch, out_of_memory
from latentmech.model.beginning import begun, columns_alike
from latentmech.model.below import run_below, shareable_blocks
from latentmech.model.doors import intervening
from latentmech.model.generation import Generated, columns_of, lengths_of, with_room
from latentmech.model.handle import Model
from latentmech.model.parity import trusted
from latentmech.model.scope import Edit, Scope
from latentmech.tensors import finite

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
            of its own variant, `[batch, pos, d_model]`, and treats them alike: what all texts begin with is one row.
        n_prompt: length of each text's prompt, where the texts are prompts with continuations.

    Raises:
        BadInput: as `intervening` and `Runner.logits` raise it.
        ResourceError: a single text does not fit into memory.
    """
    lengths = lengths_of(batch) if n_prompt is None else n_prompt
    batch = batch if trusted(model).left_padding else batch.right_padded()

    def run(some: Sequence[Variant], rows: slice) -> tuple[Tensor, ...]:
        part, times, n_blocks = _rows(batch, rows), len(some), shareable_blocks(model, some)
        kept = columns_of(part, keep if isinstance(keep, int) else keep[rows])
        prompts, end = lengths[rows], part.ids.shape[1]
        alike = columns_alike(model, part, min(int(prompts.min()), int(kept.min())))
        with intervening(model, _side_by_side(some), scope) as runner:
            start = begun(runner, part, alike, n_blocks, times)
            with run_below(runner, part, (start.width, end), n_blocks, times, start.cache(part, 1)):
                runner.take(_repeated(part, times), prompts.repeat(times))
                kept = repeat(kept, "batch kept -> (times batch) kept", times=times) - start.width
                found = runner.forward(start.width, end, start.cache(part, times), kept)
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
        n_blocks, prompts, end = shareable_blocks(model, some), lengths_of(batch)[rows], part.ids.shape[1] - n_tokens
        alike = columns_alike(model, part, int(prompts.min()) - 1)
        with intervening(model, _side_by_side(some), scope) as runner:
            start = begun(runner, part, alike, n_blocks, times)
            cache = start.cache(part, times, n_tokens) or new_cache(model, n_tokens)
            own = start.cache(part, 1, n_tokens) or new_cache(model, n_tokens)
            with run_below(runner, part, (start.width, end), n_blocks, times, own) as below:
                runner.take(_repeated(part, times), prompts.repeat(times))
                first = runner.forward(start.width, end, cache)[:, -1]
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

"""`hooked_reading`, `hooked_editing`: hook points in use while a context is open, and the model given back after it.

Both go round the bridge's own forward, which saves the unembedding of every token (a fifth of a small model's work) and
the cache dictionary; the hooks are TransformerLens's, so every hook name means what it means there. Nothing is known
here of whether a hook point is ever reached: `doors.py` sees to that.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.model.batching import Batch
from latentmech.model.generation import Runner
from latentmech.model.handle import Model
from latentmech.model.products import quick_products
from latentmech.model.road import Road
from latentmech.model.scope import Aim, Edit, Scope, text_positions
from latentmech.model.unheard import fused_attention, unheard_left_out

PLACE = re.compile(r"blocks\.(\d+)\.hook_(resid_pre|resid_post|attn_out|mlp_out|in|out)")
ALIASES = {"in": "resid_pre", "out": "resid_post"}
Reader = Callable[[Tensor], None]


@contextmanager
def hooked_reading(model: Model, readers: Mapping[str, Reader]) -> Iterator[Callable[[Batch], None]]:
    """While it is open, every batch run hands each hook point's activations `[batch, pos, d_model]` to its reader.

    A reader is given the live tensor: it must copy what it keeps, and must not write.

    Yields:
        The function that runs the blocks over a batch.
    """
    hooks = [(name, _reading(reader)) for name, reader in readers.items()]
    backbone: Any = model.bridge.original_model.base_model

    def run(batch: Batch) -> None:
        where = {"position_ids": text_positions(batch)} if bool(batch.shift.any()) else {}
        backbone(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **where)

    bridge = model.bridge
    with (
        torch.inference_mode(),
        bridge.hooks(fwd_hooks=hooks),
        unheard_left_out(bridge),
        quick_products(bridge.original_model),
    ):
        yield run


def _reading(reader: Reader) -> Callable[..., None]:
    def hook(activation: Tensor, hook: object) -> None:
        del hook
        reader(activation)

    return hook


@contextmanager
def hooked_editing(
    model: Model,
    edits: Mapping[str, Edit],
    scope: Scope = Scope(),  # noqa: B008
    road: Road = Road(),  # noqa: B008
) -> Iterator[Runner]:
    """While it is open, every forward of the runner has its residual stream edited; without edits it is the model.

    The runner knows where each text begins, where its prompt ends and what is padding, so an edit that is right on
    whole tensors is right with and without a KV cache, alone and in a batch.

    Args:
        edits: by hook name, such as `blocks.12.hook_resid_post`. Several edits of one place are composed by the caller.
        scope: which tokens are edited.
        road: how texts are padded, and whether a generation keeps anything between its steps.

    Yields:
        The runner: `logits` and `generate`.

    Raises:
        BadInput: a place that cannot be edited, or one place under two names; before weights are loaded.
    """
    places_of(edits, model.n_layers)
    runner = Runner(model, scope, road)
    hooks = [(name, _editing(runner.aim, name, edit)) for name, edit in edits.items()]
    bridge = model.bridge
    with (
        torch.inference_mode(),
        bridge.hooks(fwd_hooks=hooks),
        unheard_left_out(bridge),
        fused_attention(bridge),
        quick_products(bridge.original_model),
        runner.narrowed(),
    ):
        yield runner


def places_of(edits: Mapping[str, Edit], n_layers: int) -> dict[tuple[int, str], str]:
    """Hook names by the place they stand for: how many blocks lie below it, and which part.

    Raises:
        BadInput: an unknown place, or two names of one.
    """
    places: dict[tuple[int, str], str] = {}
    for name in edits:
        place = _place(name, n_layers)
        if place in places:
            raise BadInput(f"{places[place]} and {name} are one place; give one edit, composed of both")
        places[place] = name
    return places


def _place(name: str, n_layers: int) -> tuple[int, str]:
    """What is read after one block is read before the next: both names stand for one place."""
    found = PLACE.fullmatch(name)
    if not found or int(found[1]) >= n_layers:
        raise BadInput(
            f"{name} cannot be edited; expected blocks.L.hook_resid_pre, hook_resid_post, hook_attn_out or hook_mlp_out"
            f" with L from 0 to {n_layers - 1} (an edit of resid_mid would reach the MLP only)"
        )
    layer, part = int(found[1]), ALIASES.get(found[2], found[2])
    return {"resid_pre": (layer, "resid"), "resid_post": (layer + 1, "resid")}.get(part, (layer, part))


def _editing(aim: Aim, name: str, edit: Edit) -> Callable[..., Tensor | None]:
    def hook(resid: Tensor, hook: object) -> Tensor | None:
        del hook
        return aim.edited(name, edit, resid)

    return hook

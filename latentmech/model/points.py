"""Whether a hook point is ever reached: TransformerLens hands out some that a block's forward goes past.

A hook on such a point reads nothing and edits nothing, without a word. So each is seen on a batch of two short texts
before it is used: it must fire exactly once in a forward, with the shape of the residual stream.
"""

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.model.batching import Batch
from latentmech.model.handle import Model
from latentmech.model.intervention import hooked_editing, hooked_reading

SEEN = 3  # tokens of each of the two texts


def heard(model: Model, names: Collection[str], how: str) -> None:
    """Refuse a hook point that is not seen to fire once with the right shape; each is looked at once for a model.

    Args:
        how: `read` or `edited`.

    Raises:
        BadInput: the model does not have it, or its forward does not go through it like that.
    """
    known = model.seen.setdefault(how, set())
    if new := [name for name in names if name not in known]:
        _check_names(model, new)
        for name, seen in FORWARDS[how](model, new).items():
            _check(model, name, seen, how)
        known.update(new)


def _check_names(model: Model, names: Collection[str]) -> None:
    """Refuse hook points that blocks of this kind do not have."""
    from transformer_lens.model_bridge.generalized_components import ParallelBlockBridge

    points = model.bridge.hook_dict
    for name in names:
        part = name.rpartition("hook_")[2]
        if name in points:
            continue
        if part == "resid_mid" and all(isinstance(block, ParallelBlockBridge) for block in model.bridge.blocks):
            raise BadInput(
                f"blocks of {model.name} run attention and MLP side by side and have no resid_mid; try resid_post"
            )
        raise BadInput(f"{model.name} has no {name}: its blocks are built otherwise; try resid_post")


def _batch(model: Model) -> Batch:
    """Two texts of the first tokens that there are; what they mean is of no matter."""
    ids = torch.arange(2 * SEEN, device=model.torch_device).reshape(2, SEEN)
    return Batch(ids, torch.ones_like(ids), torch.zeros(2, dtype=torch.long, device=ids.device))


def one_forward(model: Model, names: Collection[str]) -> dict[str, list[Tensor]]:
    """What each point is given in one forward that is read."""
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    with hooked_reading(model, {name: partial(_kept, seen) for name, seen in found.items()}) as run:
        run(_batch(model))
    return found


def _edited_forward(model: Model, names: Collection[str]) -> dict[str, list[Tensor]]:
    """The same in a forward that is edited, by edits that change nothing."""
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    with hooked_editing(model, {name: partial(_returned, seen) for name, seen in found.items()}) as runner:
        runner.logits(_batch(model))
    return found


FORWARDS = {"read": one_forward, "edited": _edited_forward}


def _kept(seen: list[Tensor], activation: Tensor) -> None:
    seen.append(activation.clone())


def _returned(seen: list[Tensor], resid: Tensor) -> Tensor:
    _kept(seen, resid)
    return resid


def _check(model: Model, name: str, seen: Sequence[Tensor], how: str) -> None:
    """Refuse a hook point by what it was given in one forward."""
    wanted = [2, SEEN, model.d_model]
    if len(seen) != 1:
        fires = "never fires" if not seen else f"fires {len(seen)} times"
        raise BadInput(
            f"{name} of {model.name} {fires} in a forward of TransformerLens, so it cannot be {how}; try another site"
        )
    if (shape := list(seen[0].shape)) != wanted:
        raise BadInput(
            f"{name} of {model.name} has the shape {shape} where {wanted} was expected, so it cannot be {how}; try "
            "another site"
        )

"""What all texts of a batch begin with, run once: their system prompt, or the opening of a chat template.

Keys and values of a text's first tokens depend on these tokens alone. So they are computed for one text, and laid where
every other text has them: texts padded on the left have theirs further to the right.

    columns     0 1 2 3 4 5 6 7          begin alike: a b c
    long text   a b c|d e f g h          run once, by itself
    short text  . . a|b c i j k          run with the rest, from the bar on
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from latentmech.model.batching import Batch
from latentmech.model.below import can_share, run_below
from latentmech.model.generation import Runner, lengths_of
from latentmech.model.handle import Model

if TYPE_CHECKING:
    from transformers import DynamicCache

WORTH = 8  # so many tokens alike: below, a forward more costs what it saves


@dataclass(frozen=True)
class Beginning:
    """Keys and values of the tokens that all texts begin with, under every variant.

    Attributes:
        width: how many columns of the batch they fill; 0 where there is nothing to gain.
        states: keys and values `[variant, head, token, d_head]` of each layer.
    """

    model: Model
    width: int = 0
    states: "DynamicCache | None" = None

    def cache(self, batch: Batch, times: int, room: int = 0) -> "DynamicCache | None":
        """The cache of the first `width` columns of a batch under the first `times` variants; None if there are none.

        Padding has the keys of the first token; the mask hides them.

        Args:
            room: how many tokens will be generated behind the texts.
        """
        from latentmech.model.kv_cache import new_cache

        if self.states is None:
            return None
        cache, variant = new_cache(self.model, room), torch.arange(times).repeat_interleave(len(batch.ids))[:, None]
        at = (torch.arange(self.width, device=batch.ids.device) - batch.shift[:, None]).clamp(min=0).repeat(times, 1)
        fresh: Any = cache.layers  # all of one kind: `can_share` has looked
        known: Any = self.states.layers
        for new, held in zip(fresh, known, strict=True):
            new.update(*(part[variant.to(at.device), :, at].transpose(1, 2) for part in (held.keys, held.values)))
        return cache


def columns_alike(model: Model, batch: Batch, most: int) -> int:
    """How many columns of a batch can be filled with what its texts begin with; 0 where there is nothing to gain.

    Ask it before edits are set.

    Args:
        most: behind so many lies a token that the caller wants, or one that is no prompt in some text.
    """
    width = min(n_alike(batch), most)
    return width if width >= WORTH and len(batch.ids) > 1 and _is_kept(model) else 0


def begun(runner: Runner, batch: Batch, width: int, n_blocks: int, times: int) -> Beginning:
    """Run the first `width` tokens that all texts have, under every variant of the edits that are set.

    Args:
        n_blocks: how many of the lowest are edited by no variant.
        times: how many variants there are.
    """
    from latentmech.model.kv_cache import new_cache

    model = runner.model
    if not width:
        return Beginning(model)
    first = torch.arange(width, device=batch.ids.device) + batch.shift[0]
    ids = batch.ids[:1, first]
    one = Batch(ids, torch.ones_like(ids), torch.zeros_like(batch.shift[:1]))
    states = new_cache(model)
    with run_below(runner, one, (0, width), n_blocks, times, new_cache(model)) as below:
        runner.take(Batch(*(part.repeat(times, *[1] * (part.ndim - 1)) for part in (one.ids, one.mask, one.shift))),
                    lengths_of(one).repeat(times))  # fmt: skip
        runner.backbone(0, width, states)
    states.layers[: len(below)] = below
    return Beginning(model, width, states)


def n_alike(batch: Batch) -> int:
    """How many tokens all texts begin with."""
    shortest = int(lengths_of(batch).min())
    at = batch.shift[:, None] + torch.arange(shortest, device=batch.ids.device)
    starts: Int[Tensor, "batch pos"] = batch.ids.gather(1, at)
    return int((starts == starts[0]).all(0).long().cumprod(0).sum())


def _is_kept(model: Model) -> bool:
    """Whether a generation may keep keys and values, and all layers keep those of all tokens."""
    from latentmech.model.kv_cache import RoomyLayer, new_cache
    from latentmech.model.parity import trusted

    layers: list[Any] = new_cache(model).layers
    return trusted(model).is_quick and can_share(model) and all(type(layer) is RoomyLayer for layer in layers)

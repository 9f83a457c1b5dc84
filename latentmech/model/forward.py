"""The backbone forward: TransformerLens's hook points, without the head that nobody asked for.

Going round the bridge's own forward saves the unembedding (a fifth of a small model's work) and the cache
dictionary; the hooks are TransformerLens's, so every hook name means what it means there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from latentmech.model.batching import Batch
from latentmech.model.handle import Model
from latentmech.model.unheard import unheard_left_out

Reader = Callable[[Tensor], None]


@contextmanager
def reading(model: Model, readers: Mapping[str, Reader]) -> Iterator[Callable[[Batch], None]]:
    """While it is open, every batch run hands each hook point's activations `[batch, pos, d_model]` to its reader.

    A reader is given the live tensor: it must copy what it keeps, and must not write.

    Yields:
        The function that runs the blocks over a batch.
    """
    hooks = [(name, _reading(reader)) for name, reader in readers.items()]
    backbone: Any = model.bridge.original_model.base_model

    def run(batch: Batch) -> None:
        backbone(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **_positions(batch))

    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks), unheard_left_out(model.bridge):
        yield run


def _positions(batch: Batch) -> dict[str, Tensor]:
    """With padding on the left, absolute positions must count from the first real token."""
    if not bool(batch.shift.any()):
        return {}
    return {"position_ids": (batch.mask.cumsum(1) - 1).clamp(min=0)}


def _reading(reader: Reader) -> Callable[..., None]:
    def hook(activation: Tensor, hook: object) -> None:
        del hook
        reader(activation)

    return hook

"""The backbone forward: TransformerLens's hook points, without the head that nobody asked for.

Going round the bridge's own forward saves the unembedding (a fifth of a small model's work) and the cache
dictionary; the hooks are TransformerLens's, so every hook name means what it means there.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from latentmech.model.batching import Batch
from latentmech.model.handle import Model
from latentmech.model.norms import norms_once

Reader = Callable[[Tensor], None]


def read_backbone(model: Model, batch: Batch, readers: Mapping[str, Reader]) -> None:
    """Run the blocks over `batch` and hand each hook point's activations `[batch, pos, d_model]` to its reader.

    A reader is given the live tensor: it must copy what it keeps, and must not write.
    """
    positions = {}
    if bool(batch.shift.any()):  # left padding: absolute positions must count from the first real token
        positions["position_ids"] = (batch.mask.cumsum(1) - 1).clamp(min=0)
    hooks = [(name, _reading(reader)) for name, reader in readers.items()]
    backbone: Any = model.bridge.original_model.base_model
    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks), norms_once(model.bridge):
        backbone(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **positions)


def _reading(reader: Reader) -> Callable[..., None]:
    def hook(activation: Tensor, hook: object) -> None:
        del hook
        reader(activation)

    return hook

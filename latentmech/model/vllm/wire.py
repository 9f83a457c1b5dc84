"""How tensors and edits travel to a worker and back: as plain values, so that nothing is ever unpickled."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentmech.model.edits import described, rebuilt
from latentmech.model.scope import Edit

BYTES = "bytes"  # the key by which a tensor among plain values is known


def packed(tensor: Tensor) -> dict[str, Any]:
    """A tensor as shape, dtype and bytes, not copied where it lies in one piece on the CPU.

    The bytes are an array: a view of memory cannot go on to another process.
    """
    own = tensor.detach().cpu().contiguous()
    dtype, raw = str(own.dtype).removeprefix("torch."), own.flatten().view(torch.uint8)
    return {"dtype": dtype, "shape": list(own.shape), BYTES: raw.numpy()}


def unpacked(said: Mapping[str, Any]) -> Tensor:
    """The tensor again, on bytes of its own."""
    found = torch.empty(said["shape"], dtype=getattr(torch, said["dtype"]))
    if found.numel():
        found.view(-1).view(torch.uint8).numpy()[:] = np.frombuffer(said[BYTES], dtype=np.uint8)
    return found


def edit_out(edit: Edit) -> dict[str, Any]:
    """An edit as plain values.

    Raises:
        BadInput: it is a function of one's own.
    """
    return described(edit, packed)


def edit_in(said: Mapping[str, Any]) -> Edit:
    """The edit that `edit_out` wrote."""
    return rebuilt(said, unpacked, lambda value: isinstance(value, Mapping) and BYTES in value)


def to_json(value: Any) -> Any:
    """Plain values with their bytes as text, for what carries JSON only."""
    if isinstance(value, Mapping):
        return {key: to_json(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return base64.b64encode(value.tobytes()).decode()
    return [to_json(one) for one in value] if isinstance(value, list | tuple) else value


def from_json(value: Any) -> Any:
    """What `to_json` was given, tuples as lists."""
    if isinstance(value, Mapping):
        return {key: base64.b64decode(one) if key == BYTES else from_json(one) for key, one in value.items()}
    return [from_json(one) for one in value] if isinstance(value, list) else value

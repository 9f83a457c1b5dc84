"""Tensors on disk as safetensors with a JSON card, checksummed, never pickled."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentmech.errors import BadInput, IntegrityError
from latentmech.storage import canonical_json, save_json, verify, write_bytes

CARD = "card"  # the metadata key that holds an artifact's JSON card
SAFETENSORS_NAME = {torch.int64: "I64", torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def save_tensors(path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
    """Write tensors as safetensors with the card inside, and the card beside as `<name>.json`.

    Returns:
        The SHA-256 of the safetensors file.
    """
    digest = write_bytes(path, save({k: t.contiguous() for k, t in tensors.items()}, {CARD: canonical_json(card)}))
    save_json(path.with_suffix(".json"), dict(card) | {"sha256": digest})
    return digest


def blank_tensors(
    kinds: Mapping[str, tuple[torch.dtype, Sequence[int]]], card: Mapping[str, Any], memory: Tensor | None = None
) -> tuple[memoryview, dict[str, Tensor]]:
    """A safetensors file in memory, and its tensors, not yet filled, as views into it.

    What is filled in place can be written without another copy. The format: eight bytes with the length of a JSON
    header, the header, and the tensors end to end.

    Args:
        kinds: dtype and shape of each tensor, those with larger elements first, so that all stay aligned.
        memory: bytes to use, if they suffice: the first touch of new memory costs more than what is put there.
    """
    header: dict[str, Any] = {"__metadata__": {CARD: canonical_json(card)}}
    end = 0
    for name, (dtype, shape) in kinds.items():
        begin, end = end, end + math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": SAFETENSORS_NAME[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    prefix = struct.pack("<Q", len(text)) + text
    size = len(prefix) + end
    image = torch.empty(size, dtype=torch.uint8) if memory is None or len(memory) < size else memory[:size]
    image[: len(prefix)] = torch.frombuffer(bytearray(prefix), dtype=torch.uint8)
    body = image[len(prefix) :]
    tensors = {
        name: body[slice(*header[name]["data_offsets"])].view(dtype).view(*shape)
        for name, (dtype, shape) in kinds.items()
    }
    return image.numpy().data, tensors


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote, checked against the card beside it where there is one.

    Raises:
        IntegrityError: the bytes are not those that were written, or it is no such file.
    """
    verify(path)
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {}).get(CARD, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, card  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise IntegrityError(f"{path} is not a readable safetensors file ({error}); fetch it again") from error


def finite(tensor: Tensor, what: str, remedy: str) -> Tensor:
    """The tensor, refused by name if an element is NaN or infinite; a sum is read faster than a mask is made."""
    if not (bool(tensor.sum(dtype=torch.float32).isfinite()) or bool(tensor.isfinite().all())):
        raise BadInput(f"{what} holds NaN or infinity; {remedy}")
    return tensor


def divisor(spread: Float[Tensor, " d"], mean: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """Spreads of dimensions, to divide by: 1 where a dimension is constant."""
    return torch.where(varies(spread, mean), spread, torch.ones_like(spread))


def varies(spread: Any, mean: Any) -> Any:
    """Which dimensions are not constant, of their spreads and means as tensors or as arrays.

    Constant is what varies less than single precision resolves: dividing by rounding noise would blow it up.
    """
    return spread > torch.finfo(torch.float32).eps * abs(mean)

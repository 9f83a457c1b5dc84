"""Fingerprints, and the only writer of artifacts: whole or not at all, checksummed, never pickled.

A file is written under a temporary name in its own folder, flushed to the disk, and renamed over its final
name; a process killed at any moment leaves the old file or the new one, never a part of either.
"""

import errno
import hashlib
import json
import math
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentmech.errors import IntegrityError, ResourceError

WRITTEN_AT_ONCE = 2**25  # bytes
CARD = "card"  # the metadata key that holds an artifact's JSON card
SAFETENSORS_NAME = {torch.int64: "I64", torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def cache_root() -> Path:
    """Where models and activations are kept: `LATENTMECH_CACHE`, or the user's cache folder."""
    override = os.environ.get("LATENTMECH_CACHE")
    return Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("latentmech"))


def canonical_json(obj: Any) -> str:
    """JSON with sorted keys and no blanks, the same text for equal objects."""
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(obj: Any) -> str:
    """SHA-256 of the canonical JSON of `obj`, in hexadecimal."""
    return hashlib.sha256(canonical_json(obj).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> Path:
    """Create `path` and check that it can be written.

    Raises:
        ResourceError: the folder cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise explained(error, path) from error


def write_bytes(path: Path, data: bytes | memoryview) -> str:
    """Write `data` to `path` atomically and durably; returns the SHA-256 of what was written.

    Raises:
        ResourceError: no space is left, or the folder cannot be written; nothing is left behind.
    """
    with ThreadPoolExecutor(1) as pool:  # hashing leaves the interpreter free, and the disk leaves the processor free
        digest = pool.submit(hashlib.sha256, data)
        _write_durably(path, data)
        return digest.result().hexdigest()


def _write_durably(path: Path, data: bytes | memoryview) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            for begin in range(0, max(len(data), 1), WRITTEN_AT_ONCE):
                file.write(data[begin : begin + WRITTEN_AT_ONCE])
                file.flush()
                os.fsync(file.fileno())
                _forget(file.fileno(), len(data))
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise explained(error, path) from error


def _forget(descriptor: int, size: int) -> None:
    """Take what is on the disk out of the page cache, if the file is large.

    Activations are often larger than memory, and filling memory with what was just written costs more than the disk.
    """
    if size > WRITTEN_AT_ONCE and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def append_line(path: Path, line: str) -> None:
    """Append one line durably. A kill can leave a torn last line, which `complete_lines` passes over."""
    try:
        with path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        raise explained(error, path) from error


def complete_lines(path: Path) -> list[str]:
    """The lines of `path` that end in a newline; none if the file is not there.

    A damaged byte comes back as U+FFFD: whoever checks the line finds it wrong, and nobody stumbles over it here.
    """
    if not path.exists():
        return []
    return path.read_bytes().decode(errors="replace").split("\n")[:-1]


def save_json(path: Path, obj: Any) -> str:
    """Write `obj` as readable JSON atomically; returns the SHA-256 of the file."""
    return write_bytes(path, (json.dumps(obj, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def save_tensors(path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
    """Write tensors as safetensors with the card inside, and the card beside as `<name>.json`.

    Returns:
        The SHA-256 of the safetensors file.
    """
    digest = write_bytes(path, tensor_bytes(tensors, card))
    save_json(path.with_suffix(".json"), dict(card) | {"sha256": digest})
    return digest


def tensor_bytes(tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file holding `tensors` and, in its metadata, the card."""
    return save({name: t.contiguous() for name, t in tensors.items()}, {CARD: canonical_json(card)})


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


def verify(path: Path) -> None:
    """Compare a file with the checksum in the card beside it, if there is a card.

    Raises:
        IntegrityError: the checksums differ, or the card is no card.
    """
    beside = path.with_suffix(".json")
    try:
        expected = json.loads(beside.read_bytes()).get("sha256") if beside.exists() else None
    except (ValueError, AttributeError) as error:
        raise IntegrityError(f"{beside} is damaged ({error}); delete it and {path.name}, and run again") from error
    if expected and (seen := file_sha256(path)) != expected:
        raise IntegrityError(f"{path} has sha256 {seen[:12]}…, its card says {expected[:12]}…; delete it and run again")


def _sync_folder(folder: Path) -> None:
    """Flush a rename: the folder's own entry must reach the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def explained(error: OSError, path: Path) -> ResourceError:
    """An operating-system error while writing `path` as one line of advice."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"no space left to write {path}; free some, or set LATENTMECH_CACHE to another disk")
    return ResourceError(f"cannot write {path} ({reason}); check its owner, or set LATENTMECH_CACHE elsewhere")

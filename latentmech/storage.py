"""Fingerprints, and the only writer of files: whole or not at all, checksummed.

A file is written under a temporary name in its own folder, flushed to the disk, and renamed over its final
name; a process killed at any moment leaves the old file or the new one, never a part of either.
"""

import errno
import hashlib
import json
import math
import os
import socket
import tempfile
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from latentmech.errors import IntegrityError, ResourceError

WRITTEN_AT_ONCE = 2**25  # bytes
DAY = 24 * 3600  # seconds


def cache_root() -> Path:
    """Where models and activations are kept: `LATENTMECH_CACHE`, or the user's cache folder."""
    override = os.environ.get("LATENTMECH_CACHE")
    return Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("latentmech"))


def canonical_json(obj: Any) -> str:
    """JSON with sorted keys and no blanks, the same text for equal objects."""
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as JSON may hold it: mappings as dicts, sequences as lists, numbers as numbers, NaN and infinity as null.

    JSON has no NaN; Python writes one all the same, and then other languages cannot read the file.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted(plain(item) for item in value)
    if hasattr(value, "tolist"):  # numpy and torch, numbers and arrays alike
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


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


def write_new(path: Path, data: bytes | memoryview) -> tuple[str, bool]:
    """Write `data` to `path` as `write_bytes` does, unless a file is there: of several writers the first one counts.

    Returns:
        The SHA-256 of `data`, and whether it was written.
    """
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(hashlib.sha256, data)
        with suppress(FileExistsError):
            _write_durably(path, data, new=True)
            return digest.result().hexdigest(), True
        return digest.result().hexdigest(), False


def sweep(folder: Path) -> None:
    """Delete what killed writers left: of processes that this machine no longer has, or a day old."""
    for leftover in folder.glob(".*.tmp"):
        host, _, process = leftover.name.removesuffix(".tmp").rpartition(".")
        own = host.endswith(f".{socket.gethostname()}")
        with suppress(OSError):
            if (own and not _runs(int(process))) or time.time() - leftover.stat().st_mtime > DAY:
                leftover.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return process != os.getpid()


def _write_durably(path: Path, data: bytes | memoryview, new: bool = False) -> None:
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            for begin in range(0, max(len(data), 1), WRITTEN_AT_ONCE):
                file.write(data[begin : begin + WRITTEN_AT_ONCE])
                file.flush()
                os.fsync(file.fileno())
                # Activations are often larger than memory, and filling that with what is on disk costs more than disk.
                if len(data) > WRITTEN_AT_ONCE and hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if not (new and _linked(temporary, path)):
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if new and isinstance(error, FileExistsError) and path.exists():
            raise
        raise explained(error, path) from error


def complete_lines(path: Path) -> list[str]:
    """The lines of `path` that end in a newline, for what is behind the last one is torn; none if it is not there.

    A damaged byte comes back as U+FFFD: whoever checks the line finds it wrong, and nobody stumbles over it here.
    """
    if not path.exists():
        return []
    return path.read_bytes().decode(errors="replace").split("\n")[:-1]


def save_json(path: Path, obj: Any) -> str:
    """Write `obj` as readable JSON atomically; returns the SHA-256 of the file."""
    return write_bytes(path, (json.dumps(obj, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


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


def _linked(temporary: Path, path: Path) -> bool:
    """Give a file its name if no other has it (else FileExistsError); False where the disk knows no links."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            return False
        raise
    temporary.unlink()
    return True


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

"""Folders that are there whole or not at all."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentmech.storage import cache_root, file_sha256, make_folder

STALE = 24 * 3600  # seconds after which whoever filled a temporary folder is taken to be dead


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, renamed at the end: a killed writer leaves nothing that looks finished."""
    make_folder(folder.parent)
    _clear(folder.parent, f".{folder.name}.")
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        with contextlib.suppress(OSError):  # another process was first: its folder is the same
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def downloading() -> Iterator[Path]:
    """A temporary folder in the cache for what is downloaded."""
    root = make_folder(cache_root())
    _clear(root, ".download-")
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as folder:
        yield Path(folder)


def _clear(root: Path, prefix: str) -> None:
    """Remove the temporary folders of killed processes; a younger one may be in use."""
    for left in root.iterdir():
        with contextlib.suppress(OSError):  # its owner, or another process, was first
            if left.name.startswith(prefix) and time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left)


def weight_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each safetensors file in `folder`, by name."""
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.safetensors"))}

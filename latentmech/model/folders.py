"""Folders that are there whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentmech.storage import file_sha256, make_folder


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, renamed at the end: a killed writer leaves nothing that looks finished."""
    make_folder(folder.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        with contextlib.suppress(OSError):  # another process was first: its folder is the same
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def weight_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each safetensors file in `folder`, by name."""
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.safetensors"))}

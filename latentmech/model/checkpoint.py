"""`Checkpoint`: a folder that transformers can load, and what its contents are fingerprinted as; and how one is made.

Folders are there whole or not at all.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latentmech.errors import BadInput, IntegrityError, ResourceError, first_line
from latentmech.storage import cache_root, explained, file_sha256, fingerprint, make_folder

CARD = "latentmech.json"
STALE = 24 * 3600  # seconds after which whoever filled a temporary folder is taken to be dead
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "added_tokens.json",
    "spiece.model",
    "tokenizer.model",
)


@dataclass(frozen=True)
class Checkpoint:
    """A model folder: config, tokenizer, safetensors weights. Reading its sizes loads no weights.

    Attributes:
        folder: holds `config.json`, the tokenizer and `*.safetensors`.
        revision: what pins the contents at their source (a commit, a checksum), for the record.
        note: one sentence about where the weights come from, if a reader of a result must know it.
    """

    folder: Path
    revision: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not (self.folder / "config.json").is_file():
            raise BadInput(f"{self.folder} is no model folder: config.json is missing; name a transformers checkpoint")
        if not self.weight_files:
            raise BadInput(
                f"{self.folder} has no *.safetensors weights; convert them first (pickled weights are refused)"
            )

    @property
    def weight_files(self) -> list[Path]:
        """The safetensors files, in name order."""
        return sorted(self.folder.glob("*.safetensors"))

    @property
    def tokenizer_files(self) -> list[Path]:
        """The files that make up the tokenizer, its chat template among them."""
        named = (self.folder / name for name in TOKENIZER_FILES)
        return [path for path in (*named, *sorted(self.folder.glob("chat_template*"))) if path.is_file()]

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json` as it stands."""
        return json.loads((self.folder / "config.json").read_text())

    @cached_property
    def weights_sha256(self) -> str:
        """Fingerprint of the weights: the recorded checksums where we made the folder, else those of its files."""
        card = self.folder / CARD
        recorded = json.loads(card.read_text())["files"] if card.exists() else weight_checksums(self.folder)
        return fingerprint(recorded)

    @cached_property
    def tokenizer_sha256(self) -> str:
        """Fingerprint of the tokenizer with its chat template."""
        return fingerprint({path.name: file_sha256(path) for path in self.tokenizer_files})

    @cached_property
    def config_sha256(self) -> str:
        """Fingerprint of the architecture's settings."""
        return fingerprint(self.config)

    def verify(self) -> None:
        """Check the weights against the record made when the folder was written, if there is one.

        Raises:
            IntegrityError: the files have changed since.
        """
        if (self.folder / CARD).exists() and fingerprint(weight_checksums(self.folder)) != self.weights_sha256:
            raise IntegrityError(
                f"the weights in {self.folder} are not those recorded there; delete the folder, run again"
            )


def weight_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each safetensors file in `folder`, by name."""
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.safetensors"))}


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


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What goes wrong while transformers writes into a folder comes out as one line of advice."""
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise explained(error, folder) from error
    except SafetensorError as error:  # its own wrapping of what the system said
        raise ResourceError(f"cannot write {folder} ({first_line(error)}); is the disk full?") from error

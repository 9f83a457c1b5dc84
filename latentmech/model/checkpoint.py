"""`Checkpoint`: a folder that transformers can load, and what its contents are fingerprinted as; and how one is made.

Folders are there whole or not at all.
"""

import contextlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
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
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges*", "*.model", "*.tiktoken"),
    *("chat_template*", "additional_chat_templates/*"),
)
CONFIG_FILES = ("config.json", "generation_config.json", "adapter_config.json", "model.safetensors.index.json")


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
        try:
            json.loads((self.folder / "config.json").read_text())
        except OSError as error:
            raise BadInput(
                f"{self.folder} is no model folder: config.json is missing; name a transformers checkpoint"
            ) from error
        except ValueError as error:
            raise BadInput(f"{self.folder}/config.json is no JSON ({error}); fetch it again") from error
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
        """The files that make up the tokenizer, its chat templates among them."""
        return tokenizer_files(self.folder)

    @cached_property
    def tensor_names(self) -> tuple[str, ...]:
        """Names of all tensors in the weight files, from their headers."""
        from safetensors import safe_open

        names: list[str] = []
        for path in self.weight_files:
            with safe_open(path, framework="np") as file:
                names += file.keys()
        return tuple(names)

    @property
    def n_weights(self) -> int:
        """How many numbers the tensors hold, from their headers."""
        from safetensors import safe_open

        n = 0
        for path in self.weight_files:
            with safe_open(path, framework="np") as file:
                n += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        return n

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
        return fingerprint({str(p.relative_to(self.folder)): file_sha256(p) for p in self.tokenizer_files})

    @cached_property
    def config_sha256(self) -> str:
        """Fingerprint of the settings of architecture and generation, and of which files hold the weights."""
        files = (self.folder / name for name in CONFIG_FILES)
        return fingerprint({path.name: json.loads(path.read_text()) for path in files if path.is_file()})

    @property
    def contents(self) -> dict[str, str]:
        """Fingerprints of all that a model is made of, as they were when they were first asked for."""
        return {"weights": self.weights_sha256, "config": self.config_sha256, "tokenizer": self.tokenizer_sha256}

    def verify(self, before: Mapping[str, str] | None = None) -> None:
        """Check what lies in the folder now against `contents`, or against others taken before the files were read.

        Raises:
            IntegrityError: files have changed since, or are not those recorded when the folder was written.
        """
        before, now = before or self.contents, Checkpoint(self.folder).contents
        now["weights"] = fingerprint(weight_checksums(self.folder))
        if changed := [what for what in now if now[what] != before[what]]:
            recorded = changed[0] == "weights" and (self.folder / CARD).exists()
            raise IntegrityError(
                f"the weights in {self.folder} are not those recorded there; delete the folder, run again"
                if recorded
                else f"{changed[0]} in {self.folder} changed while it was read; run again when it is whole"
            )


def tokenizer_files(folder: Path) -> list[Path]:
    """The files in a folder that make up a tokenizer, in name order."""
    return sorted({path for pattern in TOKENIZER_FILES for path in folder.glob(pattern) if path.is_file()})


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy these files into another folder, as they lie in their own."""
    for path in tokenizer_files(source):
        target = folder / path.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)


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

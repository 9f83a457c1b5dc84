"""`Checkpoint`: a folder that transformers can load, and what its contents are fingerprinted as."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latentmech.errors import BadInput, IntegrityError
from latentmech.storage import file_sha256, fingerprint

CARD = "latentmech.json"
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

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json` as it stands."""
        return json.loads((self.folder / "config.json").read_text())

    @cached_property
    def weights_sha256(self) -> str:
        """Fingerprint of the weights: the recorded checksums where we made the folder, else those of its files."""
        card = self.folder / CARD
        recorded = json.loads(card.read_text())["files"] if card.exists() else self._checksums()
        return fingerprint(recorded)

    @cached_property
    def tokenizer_sha256(self) -> str:
        """Fingerprint of the tokenizer with its chat template."""
        names = [*TOKENIZER_FILES, *sorted(p.name for p in self.folder.glob("chat_template*"))]
        return fingerprint({n: file_sha256(self.folder / n) for n in names if (self.folder / n).exists()})

    @cached_property
    def config_sha256(self) -> str:
        """Fingerprint of the architecture's settings."""
        return fingerprint(self.config)

    def verify(self) -> None:
        """Check the weights against the record made when the folder was written, if there is one.

        Raises:
            IntegrityError: the files have changed since.
        """
        if (self.folder / CARD).exists() and fingerprint(self._checksums()) != self.weights_sha256:
            raise IntegrityError(
                f"the weights in {self.folder} are not those recorded there; delete the folder, run again"
            )

    def _checksums(self) -> dict[str, str]:
        return {path.name: file_sha256(path) for path in self.weight_files}

"""A base model with a LoRA adapter merged into it, once: what comes out is a model folder like any other.

    W' = W + alpha / rank * B A

An adapter is a folder in peft's format, `adapter_config.json` and `adapter_model.safetensors`, with a `card.json` that
says what it was trained on and holds the checksums of the base's tensors and of its own.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from latentmech.errors import BadInput, IntegrityError, expected
from latentmech.model.checkpoint import Checkpoint
from latentmech.model.peft_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, MERGER, merge_adapter
from latentmech.model.sources import Source
from latentmech.storage import cache_root, file_sha256, fingerprint

BUNDLED = Path(__file__).parent / "adapters"
ADAPTER_CARD = "card.json"


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """Another source's model, fine-tuned.

    Attributes:
        base: where the model comes from that the adapter was trained on.
        adapter: the name of a bundled adapter, or a path to a folder that holds one.
    """

    base: Source
    adapter: str

    def __call__(self) -> Checkpoint:
        """Merge, unless that was done already."""
        base, adapter = self.base(), _Adapter(_found(self.adapter))
        own = [MERGER, base.contents, adapter.sha256]
        merged = cache_root() / "models" / f"{Path(adapter.base).name}-{adapter.name}-{fingerprint(own)[:16]}"
        if not merged.exists():
            adapter.check_base(base)
            record = {"base": base.revision, "adapter": adapter.card["files"]}
            merge_adapter(base, adapter.folder, merged, record)
        note = f"{adapter.base} fine-tuned with the adapter {adapter.name}"
        return Checkpoint(
            merged,
            revision=f"{base.revision}, adapter {adapter.sha256[:16]}",
            note=f"{note}; {base.note}" if base.note else note,
        )


@dataclass(frozen=True)
class _Adapter:
    """An adapter's folder, whose files are those that its card names."""

    folder: Path

    def __post_init__(self) -> None:
        for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS, ADAPTER_CARD):
            if not (self.folder / name).is_file():
                raise BadInput(f"{self.folder} has no {name}; name a folder that train_adapter has written")
        if adapter_checksums(self.folder) != self.card["files"]:
            raise IntegrityError(
                f"the adapter in {self.folder} is not the one its {ADAPTER_CARD} records; fetch it again"
            )

    @cached_property
    def card(self) -> dict[str, Any]:
        return json.loads((self.folder / ADAPTER_CARD).read_text())

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def base(self) -> str:
        return self.card["base"]

    @property
    def sha256(self) -> str:
        return fingerprint(self.card["files"])

    def check_base(self, base: Checkpoint) -> None:
        if (seen := tensors_sha256(base)) != (wanted := self.card["base_tensors"]):
            raise BadInput(
                f"the adapter {self.name} was trained on {self.base} with tensors {wanted[:12]}…, and the base in "
                f"{base.folder} has {seen[:12]}…; choose the base that it belongs to"
            )


def adapter_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of the adapter's weights and of its config, which says how much they count."""
    return {name: file_sha256(folder / name) for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)}


def tensors_sha256(checkpoint: Checkpoint) -> str:
    """Fingerprint of a model's tensors, which a rewriting of their files by another version does not change."""
    import torch
    from safetensors import safe_open

    found: dict[str, list[Any]] = {}
    for path in checkpoint.weight_files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                tensor = file.get_tensor(name)
                numbers = tensor.reshape(-1).view(torch.uint8).numpy()
                found[name] = [str(tensor.dtype), list(tensor.shape), sha256(numbers).hexdigest()]
    return fingerprint(found)


def _found(adapter: str) -> Path:
    """The folder of a bundled adapter, or the user's own."""
    bundled = {path.name: path for path in BUNDLED.iterdir() if path.is_dir()}
    if adapter in bundled:
        return bundled[adapter]
    path = Path(adapter).expanduser().resolve()
    if not path.is_dir():
        raise BadInput(f"no adapter {adapter!r}; {expected(adapter, bundled)}; or name a folder that holds one")
    return path

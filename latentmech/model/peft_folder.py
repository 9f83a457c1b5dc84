"""A folder in peft's format as a model of its own: merged into its base, once, so that what is read is what is hashed.

Left to itself transformers puts the adapter beside the weights, and says about missing tensors of the base nothing.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.errors import BadInput, IntegrityError, first_line
from latentmech.model.checkpoint import (
    CARD,
    Checkpoint,
    copy_tokenizer,
    downloading,
    filling,
    tokenizer_files,
    weight_checksums,
    writing,
)
from latentmech.model.weights import load_weights, named
from latentmech.storage import cache_root, file_sha256, fingerprint, save_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MERGER = 2  # raise when the merging changes, so that old folders are left aside


def with_adapter(folder: Path, revision: str) -> Checkpoint:
    """The folder as a checkpoint; if it holds an adapter, that merged into its base, from the cache or made now.

    Raises:
        BadInput: the base is not on this disk, or the adapter does not fit it.
        IntegrityError: tensors of base or adapter are missing or left over.
    """
    if not (folder / ADAPTER_CONFIG).is_file():
        return Checkpoint(folder, revision=revision)
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise BadInput(f"{folder} has no {ADAPTER_WEIGHTS}; convert the adapter first (pickled weights are refused)")
    with _base_of(folder) as base:
        own = {name: file_sha256(folder / name) for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)}
        words = {path.name: file_sha256(path) for path in tokenizer_files(folder)}
        key = fingerprint([MERGER, base.contents, own, words])
        name = _base_name(folder)
        merged = cache_root() / "models" / f"{name}-{folder.name}-{key[:16]}"
        if not merged.exists():
            merge_adapter(base, folder, merged, {"base": str(base.folder), "adapter": own})
    note = f"{name} with the adapter in {folder.name} merged into it"
    return Checkpoint(merged, revision=f"{revision}, adapter {fingerprint(own)[:16]}", note=note)


def _base_name(folder: Path) -> str:
    """The name of the base, by which a reader knows it."""
    return folder.name if (folder / "config.json").is_file() else Path(_base_path(folder)).name


def _base_path(folder: Path) -> str:
    return str(json.loads((folder / ADAPTER_CONFIG).read_text()).get("base_model_name_or_path") or "")


@contextmanager
def _base_of(folder: Path) -> Iterator[Checkpoint]:
    """The base of the adapter: the weights beside it, or the folder that it names, from its own place or from here."""
    if (folder / "config.json").is_file():
        with downloading() as temporary:
            for path in folder.iterdir():
                if path.name not in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
                    os.symlink(path, temporary / path.name)
            yield Checkpoint(temporary)
        return
    named_base = _base_path(folder)
    places = (folder / named_base, Path(named_base).expanduser()) if named_base else ()
    found = [place for place in places if (place / "config.json").is_file()]
    if not found:
        raise BadInput(
            f"{folder} holds an adapter for {named_base or 'a base without a name'}, which is no model folder on this "
            f"disk; fetch it, and name its folder as base_model_name_or_path in {ADAPTER_CONFIG}"
        )
    yield Checkpoint(found[0].resolve())


def merge_adapter(base: Checkpoint, adapter: Path, folder: Path, record: dict[str, Any]) -> None:
    """Fill the folder with weights in single precision and a tokenizer, and record what is in it."""
    with filling(folder) as temporary:
        with writing(folder):
            _merged(base, adapter).save_pretrained(temporary)
            settings = base.folder / "generation_config.json"
            copy_tokenizer(base.folder, temporary)
            if (adapter / "tokenizer.json").is_file():  # tokens that were added with the training
                copy_tokenizer(adapter, temporary)
            if settings.is_file():
                shutil.copy(settings, temporary)
        save_json(temporary / CARD, record | {"files": weight_checksums(temporary)})


def _merged(base: Checkpoint, folder: Path) -> "PreTrainedModel":
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    model = load_weights("AutoModelForCausalLM", base)
    try:
        adapted: Any = PeftModel.from_pretrained(model, str(folder), torch_device="cpu")
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise BadInput(
            f"the adapter in {folder} does not fit {base.folder} ({first_line(error)}); choose the base that it was "
            "trained on"
        ) from error
    with safe_open(folder / ADAPTER_WEIGHTS, framework="np") as file:
        held = set(file.keys())
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if wrong := sorted(held ^ wanted):  # peft would leave these as they were made, and say so in a warning
        raise IntegrityError(
            f"the adapter in {folder} and its {ADAPTER_CONFIG} differ by {named(wrong)}; fetch both again"
        )
    return adapted.merge_and_unload()

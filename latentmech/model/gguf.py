"""From a `.gguf` file to a folder of safetensors, once: later loads take a fraction of a second, not fifteen.

Weights in a GGUF file are usually quantised; here they are de-quantised to float32. They are near the published
weights and not equal to them.
"""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.errors import BadInput, first_line
from latentmech.model.checkpoint import CARD, Checkpoint, filling, weight_checksums, writing
from latentmech.storage import cache_root, file_sha256, save_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONVERTER = 1  # raise when the conversion changes, so that old folders are left aside
NOTE = "weights de-quantised from {name}: near the published model, not equal to it"


def convert_gguf(path: Path, sha256: str | None = None) -> Checkpoint:
    """The converted folder of a GGUF file, from the cache or made now.

    Args:
        path: the `.gguf` file.
        sha256: its checksum, if known already.
    """
    sha256 = sha256 or file_sha256(path)
    folder = converted_folder(path.name, sha256)
    if not folder.exists():
        _convert(path, sha256, folder)
    return converted(path.name, sha256)


def converted_folder(name: str, sha256: str) -> Path:
    """Where the conversion of the GGUF file `name` with this checksum lives."""
    return cache_root() / "models" / f"{Path(name).stem}-{sha256[:16]}-v{CONVERTER}"


def converted(name: str, sha256: str) -> Checkpoint:
    """The finished conversion as a checkpoint."""
    return Checkpoint(converted_folder(name, sha256), revision=f"sha256:{sha256}", note=NOTE.format(name=name))


def _convert(path: Path, sha256: str, folder: Path) -> None:
    """Fill the folder, and record what is in it."""
    with filling(folder) as temporary:
        _save(*_dequantised(path), temporary)
        files = weight_checksums(temporary)
        save_json(temporary / CARD, {"source": path.name, "source_sha256": sha256, "files": files})


def _dequantised(path: Path) -> tuple["PreTrainedTokenizerBase", "PreTrainedModel"]:
    """Tokenizer and float32 model, as transformers reads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {
        "pretrained_model_name_or_path": path.parent,
        "gguf_file": path.name,
        "local_files_only": True,
    }
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        return tokenizer, AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    except (ValueError, KeyError, OSError) as error:
        raise BadInput(f"{path} cannot be read as a GGUF model ({first_line(error)}); try another file") from error


def _save(tokenizer: "PreTrainedTokenizerBase", quantised: "PreTrainedModel", folder: Path) -> None:
    """Save through a fresh model: transformers refuses to save one that was quantised."""
    import torch
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(quantised.config)
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(quantised.state_dict())
    with writing(folder):
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)

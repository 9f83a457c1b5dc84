"""From a `.gguf` file to a folder of safetensors, once: later loads take a fraction of a second, not fifteen.

Weights in a GGUF file are usually quantised; here they are de-quantised to float32. They are near the published
weights and not equal to them.
"""

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.errors import BadInput, first_line
from latentmech.model.checkpoint import CARD, Checkpoint, downloading, filling, weight_checksums, writing
from latentmech.model.gguf_metadata import ROPE_TENSORS, GGUFMetadata, complete, respell
from latentmech.model.gguf_parts import merge, parts_of, refuse_part
from latentmech.model.weights import from_pretrained, refuse_gaps
from latentmech.storage import cache_root, file_sha256, fingerprint, save_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONVERTER = 2  # raise when the conversion changes, so that old folders are left aside
NOTE = "weights de-quantised from {name}: near the published model, not equal to it"


def convert_gguf(path: Path, sha256: str | None = None) -> Checkpoint:
    """The converted folder of a GGUF file, from the cache or made now.

    Args:
        path: the `.gguf` file, or any part of one whose other parts lie beside it.
        sha256: its checksum, if known already.
    """
    parts = parts_of(path)
    sha256 = sha256 or (file_sha256(path) if len(parts) == 1 else fingerprint([file_sha256(part) for part in parts]))
    folder = converted_folder(parts[0].name, sha256)
    if not folder.exists():
        with downloading() as temporary:
            whole = path if len(parts) == 1 else merge(parts, temporary / parts[0].name)
            _convert(whole, sha256, folder)
    return converted(parts[0].name, sha256)


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
    """Tokenizer and float32 model, as transformers reads them, with what else the file says."""
    import torch
    from transformers import AutoConfig, AutoTokenizer

    file = GGUFMetadata(path)
    with tempfile.TemporaryDirectory() as nothing:  # what lies beside the file is no part of it
        where: dict[str, Any] = {"gguf_file": str(path)}
        try:
            tokenizer = AutoTokenizer.from_pretrained(nothing, local_files_only=True, **where)
            config = AutoConfig.from_pretrained(nothing, local_files_only=True, **where)
        except (ValueError, KeyError, OSError) as error:
            raise BadInput(f"{path} cannot be read as a GGUF model ({first_line(error)}); try another file") from error
        refuse_part(file)
        respell(tokenizer, file)
        complete(config, file)
        model, info = from_pretrained(
            "AutoModelForCausalLM", Path(nothing), config=config, dtype=torch.float32, **where
        )
    refuse_gaps(info | {"unexpected_keys": _left_over(model, file)}, f"the weights in {path}")
    return tokenizer, model


def _left_over(model: "PreTrainedModel", file: GGUFMetadata) -> list[str]:
    """Tensors of the file that did not become weights; counted in numbers, for some are cut or put together."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    held = {name: int(tensor.n_elements) for name, tensor in file.tensors.items() if name not in ROPE_TENSORS}
    if sum(held.values()) <= sum(weight.numel() for weight in model.parameters()):
        return []
    kind = next(kind for kind, name in MODEL_ARCH_NAMES.items() if name == file.architecture)
    names = get_tensor_name_map(kind, model.config.num_hidden_layers)
    known = {names.get_name(name, try_suffixes=(".weight", ".bias")) for name in model.state_dict()}
    return [name for name in held if name not in known] or [*held]


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

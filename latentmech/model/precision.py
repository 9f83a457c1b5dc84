"""In what numbers a model is kept and computed: `auto` precision, weights in fewer bits, and what that needs.

    auto               bfloat16 where there are matrix units for it (a GPU, or a CPU with AMX), else float32
    int8, nf4          bitsandbytes: LLM.int8() (Dettmers et al. 2022) and 4-bit NormalFloat (Dettmers et al. 2023)
    int8_weight_only   torchao: one scale for every row of a weight, no outliers apart

Norms, embeddings and the head are not quantised. What is measured of a model's states is in float32 or better always.
"""

import importlib.metadata
import logging
from typing import TYPE_CHECKING, Any

from latentmech.errors import BadInput

if TYPE_CHECKING:
    import torch

PACKAGES = {"int8": "bitsandbytes", "nf4": "bitsandbytes", "int8_weight_only": "torchao"}
SHARING = {
    "int8": "LLM.int8() rounds activations too, and which columns it spares depends on the batch, so that a state "
    "depends on the texts beside it and on what follows; int8_weight_only rounds weights alone"
}
SMALLER = "set model.dtype=bfloat16, model.quantization=nf4 or model.device_map=auto"
EXTRA = "pip install 'latentmech[quantization]'"


def best_dtype(device: "torch.device") -> tuple[str, str]:
    """The precision that `auto` stands for on a device, and why."""
    import torch

    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bfloat16", "a GPU with units for it"
    if device.type == "cpu" and torch.cpu._is_amx_tile_supported():
        return "bfloat16", "a CPU with AMX"
    return "float32", f"no matrix units for bfloat16 on this {device.type}"


def free_memory(device: "torch.device") -> int:
    """Bytes that are free on a device, or on its host where it does not say."""
    import psutil
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


def quantised_by(quantization: str) -> dict[str, str]:
    """The package that quantises so, and its version.

    Raises:
        BadInput: it is not installed.
    """
    if quantization not in PACKAGES:
        return {}
    package = PACKAGES[quantization]
    try:
        return {package: importlib.metadata.version(package)}
    except importlib.metadata.PackageNotFoundError as error:
        raise BadInput(f"model.quantization={quantization} needs {package}, which is not installed; {EXTRA}") from error


def loading(quantization: str, dtype: str) -> dict[str, Any]:
    """What `from_pretrained` is told so that it quantises what it reads."""
    if quantization not in PACKAGES:
        return {}
    import torch
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if quantization == "int8":
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it says for every product that it casts
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    if quantization == "nf4":
        compute = getattr(torch, dtype)
        four = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute)
        return {"quantization_config": four}
    from torchao.quantization import Int8WeightOnlyConfig

    return {"quantization_config": TorchAoConfig(Int8WeightOnlyConfig())}

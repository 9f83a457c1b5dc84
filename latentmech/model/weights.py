"""The one way in for weights: from a folder, whole, as safetensors, and as they were when they were fingerprinted.

transformers fills what it does not find with random numbers and goes on; here that is refused, and so are tensors that
the model has no place for, or a place of another shape.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.errors import BadInput, IntegrityError, first_line
from latentmech.model.checkpoint import Checkpoint
from latentmech.model.precision import loading

if TYPE_CHECKING:
    import torch

SHOWN = 3  # tensors that a message names
RULES = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}


def load_weights(
    kind: str,
    checkpoint: Checkpoint,
    dtype: str = "float32",
    device: Any = "cpu",
    zeroed: str = "",
    quantization: str = "none",
    device_map: Any = None,
    **settings: Any,
) -> Any:
    """transformers' own model with the weights of a folder, in memory of its own, ready to be read.

    Args:
        kind: one of transformers' automatic classes. `AutoModel` leaves the head of a whole model aside.
        zeroed: a pattern of names that may be missing; they are zero then.
        quantization: as `ModelSettings` has it.
        device_map: the same; `device` is not looked at then.
        settings: what else `from_pretrained` is to know.

    Raises:
        IntegrityError: tensors are missing, left over or of another shape; or the folder changed meanwhile.
        BadInput: transformers cannot build a model from the folder.
    """
    import torch

    before, placed = checkpoint.contents, device_map is not None or quantization != "none"
    if quantization != "none" and "quantization_config" in checkpoint.config:
        raise BadInput(f"the weights in {checkpoint.folder} are quantised already; set model.quantization=none")
    if placed:
        settings |= loading(quantization, dtype) | {"device_map": device_map or {"": device}}
    hf_model, info = from_pretrained(kind, checkpoint.folder, dtype=getattr(torch, dtype), **settings)
    refuse_gaps(info, f"the weights in {checkpoint.folder}", zeroed, _head_of(hf_model, checkpoint))
    for name in info["missing_keys"]:
        hf_model.get_parameter(name).data.zero_()
    if not placed:
        torch.nn.Module.to(hf_model, device)
    _unmap(hf_model)
    checkpoint.verify(before)
    return hf_model.eval()


def from_pretrained(kind: str, folder: Path, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """What transformers makes of a folder, and what it says about the tensors; nothing pickled, no foreign code."""
    import transformers
    from safetensors import SafetensorError

    report = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # so that they are told, not only raised
    try:
        with quiet():
            return getattr(transformers, kind).from_pretrained(str(folder), **RULES, **report, **settings)
    except (SafetensorError, OSError) as error:  # cut short, or a shard that its index names is not there
        raise IntegrityError(f"the weights in {folder} cannot be read ({error}); fetch them again") from error
    except (ImportError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        if "memory" in first_line(error):  # the caller says what to do
            raise
        raise BadInput(
            f"transformers cannot load {folder} ({type(error).__name__}: {first_line(error)}); choose another model"
        ) from error


def refuse_gaps(info: Mapping[str, Any], what: str, zeroed: str = "", head: str = "") -> None:
    """IntegrityError that names tensors which are missing, left over, or of another shape.

    Args:
        zeroed: a pattern of names that may be missing.
        head: a pattern of names that may be left over.
    """
    if mismatched := sorted(info["mismatched_keys"]):
        rows = [f"{name} is {_times(seen)} and not {_times(wanted)}" for name, seen, wanted in mismatched[:SHOWN]]
        rest = f" and {len(mismatched) - SHOWN} more" if len(mismatched) > SHOWN else ""
        raise IntegrityError(
            f"{what} have other sizes than config.json says: {', '.join(rows)}{rest}; fetch both from one place"
        )
    if missing := sorted(name for name in info["missing_keys"] if not (zeroed and re.search(zeroed, name))):
        raise IntegrityError(f"{what} lack {named(missing)}; fetch them again")
    if left := sorted(name for name in info["unexpected_keys"] if not (head and re.search(head, name))):
        raise IntegrityError(
            f"{what} hold {named(left)}, that the config has no place for; fetch weights and config from one place"
        )


def named(tensors: Iterable[str]) -> str:
    """`4 tensors, a, b, c among them`."""
    names = list(tensors)
    return f"{len(names)} tensors, {', '.join(names[:SHOWN])} among them"


def _times(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def _head_of(hf_model: Any, checkpoint: Checkpoint) -> str:
    """A pattern of the tensors outside the base, if only the base of a whole model was asked for; else empty."""
    prefix = hf_model.base_model_prefix
    whole = bool(prefix) and any(name.startswith(f"{prefix}.") for name in checkpoint.tensor_names)
    return rf"^(?!{re.escape(prefix)}\.)" if whole and not hasattr(hf_model, prefix) else ""


def _unmap(hf_model: "torch.nn.Module") -> None:
    """Copy weights out of the file that they are mapped from, where they lie on odd addresses in small pages.

    A forward with the copies is one or two per cent faster on a CPU, and a file that changes later cannot change the
    model.
    """
    for weight in hf_model.parameters():
        if weight.device.type == "cpu" and type(weight).__name__ == "Parameter":  # a quantised one is a copy already
            weight.data = weight.data.clone()


@contextmanager
def quiet() -> Iterator[None]:
    """Loading prints what it does, and draws bars for a second's work; neither belongs into a result's output."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()

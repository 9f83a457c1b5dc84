"""What TransformerLens needs after it has taken a model over, and what it says of one that it cannot run."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from latentmech.errors import BadInput, LatentmechError, first_line
from latentmech.model.batching import out_of_memory

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PretrainedConfig


def wire(bridge: "TransformerBridge", device: torch.device) -> None:
    """One forward over one token, with all of TransformerLens's components in it.

    Some connect their hook points at their first forward; one in which they are left out would never do it.
    """
    backbone: Any = bridge.original_model.base_model
    token = torch.zeros(1, 1, dtype=torch.long, device=device)
    with torch.inference_mode():
        backbone(input_ids=token, attention_mask=torch.ones_like(token), use_cache=False)


@contextmanager
def explained(name: str, config: "PretrainedConfig") -> Iterator[None]:
    """What goes wrong at an architecture, in one line.

    Raises:
        BadInput: TransformerLens does not know it, or fails at it.
    """
    try:
        yield
    except LatentmechError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        kind = ", ".join(getattr(config, "architectures", None) or [config.model_type])
        seen = f"{type(error).__name__}, {first_line(error)}"
        version = importlib.metadata.version("transformer-lens")
        raise BadInput(f"TransformerLens {version} cannot run {name} ({kind}): {seen}") from error

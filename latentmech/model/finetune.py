"""Teach a model a habit with low-rank updates, and leave them as a folder in peft's format.

    W' = W + alpha / rank * B A        A [rank d_in] random, B [d_out rank] zero at first

(Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"). Only A and B are trained, on the replies and
not on what is replied to.

What it does not show: how a model comes by the habit that was trained at length. A few hundred examples teach a few
directions per matrix, and those may be fewer or simpler than what an aligned model has.
"""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from latentmech.errors import BadInput
from latentmech.model.adapter import ADAPTER_CARD, ADAPTER_CONFIG, ADAPTER_WEIGHTS, tensors_sha256
from latentmech.model.batching import batches_under, length_sorted, pad
from latentmech.model.chat import dialogues
from latentmech.model.handle import Model
from latentmech.model.tokens import tokenise
from latentmech.storage import fingerprint, make_folder, save_json, write_bytes

if TYPE_CHECKING:
    from peft import PeftModel

PACKAGES = ("torch", "transformers", "peft")
Row = tuple[Int[np.ndarray, "_"], int]  # token ids, and where the reply begins


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How an adapter is trained.

    Attributes:
        rank: of each update.
        alpha: the update counts `alpha / rank` times.
        modules: names of the matrices that get one, in every block.
        epochs: passes over the dialogues.
        learning_rate: of AdamW at the first step; it falls to zero along a line.
        token_budget: tokens per batch, padding included.
        seed: of A and of the order of the batches.
    """

    rank: int = 8
    alpha: int = 16
    modules: Sequence[str] = ("q_proj", "v_proj", "o_proj", "down_proj")
    epochs: int = 2
    learning_rate: float = 5e-4
    token_budget: int = 1024
    seed: int = 0


def train_adapter(
    model: Model,
    exchanges: Sequence[tuple[str, str]],
    folder: Path,
    settings: FineTuning | None = None,
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train an adapter on (request, reply) pairs and save it in `folder`; returns its card.

    A reply that is complete ends in the tokenizer's end-of-turn token; one without it teaches no end.

    Args:
        record: what the card says besides, such as where the data came from.
    """
    settings = settings or FineTuning()
    rows = reply_rows(model, exchanges)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        tuned = _with_adapter(model, settings)
        _fit(tuned, rows, settings, model)
    card = {
        "base": model.name,
        "base_weights": tensors_sha256(model.checkpoint),
        "data": {"exchanges": len(exchanges), "fingerprint": fingerprint([list(pair) for pair in exchanges])},
        "settings": asdict(settings),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    return _save(tuned, make_folder(folder), card | dict(record or {}))

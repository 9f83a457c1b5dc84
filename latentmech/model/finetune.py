"""Teach a model a habit with low-rank updates, and leave them as a folder in peft's format.

    W' = W + alpha / rank * B A        A [rank d_in] random, B [d_out rank] zero at first

(Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"). Only A and B are trained, on the replies and
not on what is replied to.

What it does not show: how a model comes by the habit that was trained at length. A few hundred examples teach a few
directions per matrix, and those may be fewer or simpler than what an aligned model has.
"""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from latentmech.fields import Positive, check
from latentmech.model.adapter import ADAPTER_CARD, adapter_checksums, tensors_sha256
from latentmech.model.batching import Batch, length_sorted, pad
from latentmech.model.chat import dialogues
from latentmech.model.handle import Model
from latentmech.model.peft_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from latentmech.model.tokens import Tokens, tokenise
from latentmech.model.weights import load_weights
from latentmech.storage import fingerprint, make_folder, save_json, write_bytes

if TYPE_CHECKING:
    from peft import PeftModel

PACKAGES = ("torch", "transformers", "peft")


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How an adapter is trained.

    Attributes:
        rank: of each update.
        alpha: an update counts `alpha / rank` times.
        modules: names of the matrices that get one, in every block.
        epochs: passes over the exchanges.
        learning_rate: of AdamW at the first step; it falls to zero along a line.
        batch_size: exchanges per batch.
        seed: of A and of the order of the batches.
    """

    rank: Positive = 8
    alpha: Positive = 16
    modules: Sequence[str] = ("q_proj", "v_proj", "o_proj", "down_proj")
    epochs: Positive = 2
    learning_rate: float = 5e-4
    batch_size: Positive = 12
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "")


def train_adapter(
    model: Model,
    exchanges: Sequence[tuple[str, str]],
    folder: Path,
    settings: FineTuning | None = None,
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train an adapter on (request, reply) pairs and save it in `folder`; returns its card.

    All of it is in single precision. A reply that ends in the tokenizer's end-of-turn token teaches where to end; one
    without it is a beginning.

    Args:
        record: what the card says besides, such as where the exchanges came from.
    """
    settings = settings or FineTuning()
    replies = _Replies(model, exchanges)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        adapted = _with_adapter(model, settings)
        _fit(adapted, replies, settings)
    own = {
        "base": model.name,
        "base_tensors": tensors_sha256(model.checkpoint),
        "data": {"exchanges": len(exchanges), "fingerprint": fingerprint([list(pair) for pair in exchanges])},
        "settings": asdict(settings) | {"modules": list(settings.modules)},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    return _save(adapted, make_folder(folder), own | dict(record or {}))


class _Replies:
    """The exchanges as tokens: batches of whole exchanges, and which of their tokens are to be learned."""

    def __init__(self, model: Model, exchanges: Sequence[tuple[str, str]]):
        shown = dialogues(model, [request for request, _ in exchanges], [reply for _, reply in exchanges])
        self.model = model
        self.begins = [dialogue.answer[0] if dialogue.answer else 0 for dialogue in shown]
        self.tokens: Tokens = tokenise(model, [d.text for d in shown], [f"{i}" for i in range(len(shown))])
        self.n_shared = self._shared()

    def _shared(self) -> int:
        """How many tokens all exchanges begin with, such as a system prompt; the one before a reply is not counted."""
        most = min(self.first_of_reply(i) for i in range(len(self.begins))) - 1
        begins = np.stack([ids[:most] for ids in self.tokens.ids])
        return int((begins == begins[0]).all(0).cumprod().sum())

    def batches(self, size: int) -> list[list[int]]:
        """Exchanges with requests of similar length together, in random order.

        Sorted by whole length a batch would hold one kind of reply only, where one kind is shorter, as refusals are.
        """
        order = length_sorted(np.array([self.first_of_reply(i) for i in range(len(self.begins))]))
        parts = [order[at : at + size] for at in range(0, len(order), size)]
        return [parts[i] for i in torch.randperm(len(parts)).tolist()]

    def padded(self, exchanges: Sequence[int]) -> tuple[Batch, Bool[Tensor, "batch pos"]]:
        """A batch, and where in it a token is predicted that belongs to a reply: one place before each."""
        batch = pad([self.tokens.ids[i] for i in exchanges], 0, "right", self.model.torch_device)
        before = torch.zeros(batch.ids.shape, dtype=torch.bool, device=batch.ids.device)
        for row, i in enumerate(exchanges):
            before[row, self.first_of_reply(i) - 1 : len(self.tokens.ids[i]) - 1] = True
        return batch, before

    def first_of_reply(self, exchange: int) -> int:
        """The first token that begins in the reply."""
        n_bos = self.tokens.n_bos[exchange]
        return n_bos + int(np.searchsorted(self.tokens.starts[exchange][n_bos:], self.begins[exchange]))


def _with_adapter(model: Model, settings: FineTuning) -> "PeftModel":
    """transformers' own model, not the bridge, with updates that are still zero."""
    from peft import LoraConfig, get_peft_model

    base = load_weights("AutoModelForCausalLM", model.checkpoint, use_cache=False)
    update = LoraConfig(
        task_type="CAUSAL_LM", r=settings.rank, lora_alpha=settings.alpha, target_modules=sorted(settings.modules)
    )
    adapted: Any = get_peft_model(base, update)
    return adapted.to(
        model.torch_device
    ).eval()  # no dropout: updates so small need none, and a loss means what it says


def _fit(adapted: "PeftModel", replies: _Replies, settings: FineTuning) -> None:
    """AdamW on the mean negative log-likelihood of the tokens of a batch's replies."""
    weights = [weight for weight in adapted.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    batches = [batch for _ in range(settings.epochs) for batch in replies.batches(settings.batch_size)]
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=len(batches))
    with tqdm(batches, desc="fine-tuning", unit="batch", leave=False) as bar:
        for batch in bar:
            optimiser.zero_grad()
            loss = reply_loss(adapted, *replies.padded(batch), replies.n_shared)
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.set_postfix(loss=f"{loss.item():.2f}")


def reply_loss(adapted: Any, batch: Batch, before: Bool[Tensor, "batch pos"], n_shared: int = 0) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of the reply tokens; the head runs on the places before them only.

    Args:
        n_shared: so many first tokens are the same in every text: they are run once, and gradients of all texts meet
            in their keys and values. For short exchanges after a system prompt that is about two fifths of the tokens.
    """
    decoder = adapted.get_base_model()
    cache = _shared_cache(decoder, batch, n_shared) if n_shared else None
    ids, mask = batch.ids[:, n_shared:], batch.mask
    hidden = decoder.base_model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=cache is not None)
    logits = decoder.get_output_embeddings()(hidden.last_hidden_state[before[:, n_shared:]])
    return torch.nn.functional.cross_entropy(logits.float(), batch.ids.roll(-1, 1)[before])


def _shared_cache(decoder: Any, batch: Batch, n_shared: int) -> Any:
    """Keys and values of the tokens that all texts begin with, for each text."""
    cache = decoder.base_model(input_ids=batch.ids[:1, :n_shared], use_cache=True).past_key_values
    cache.batch_repeat_interleave(len(batch.ids))
    return cache


def _save(adapted: "PeftModel", folder: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write weights, config and card; peft's own writing would add where the base lies on this disk."""
    from peft import get_peft_model_state_dict

    state = {name: weight.contiguous().cpu() for name, weight in get_peft_model_state_dict(adapted).items()}
    config = adapted.peft_config["default"].to_dict()
    config |= {"inference_mode": True, "base_model_name_or_path": card["base"]}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    write_bytes(folder / ADAPTER_WEIGHTS, save(state, {"format": "pt"}))
    save_json(folder / ADAPTER_CONFIG, plain)
    complete = card | {"files": adapter_checksums(folder)}
    save_json(folder / ADAPTER_CARD, complete)
    return complete

"""`SentenceEncoder`: a model trained to put sentences of like meaning near each other; the yardstick for retrieval.

    e(text) = normalised mean over tokens of the last hidden states     (Reimers & Gurevych 2019, "Sentence-BERT")

It reads folders in sentence-transformers' format with transformers alone. Many encoders were trained with words before
each text that say what it is (`query: `, `passage: `): those of `config_sentence_transformers.json` are put there. What
a folder does beyond mean or CLS pooling and normalising, such as a dense layer behind, is refused and not left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import BadInput, expected
from latentmech.model.batching import batches_under, length_sorted
from latentmech.model.checkpoint import Checkpoint
from latentmech.model.settings import SentenceEncoderSettings
from latentmech.model.weights import load_weights
from latentmech.storage import fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKEN_BUDGET = 4096  # tokens per batch, padding included
POOLER = r"^pooler\."  # BERT's layer for pairs of sentences, which is not read here and which many folders leave out
KNOWN = ("Transformer", "Pooling", "Normalize")
SIDES = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
    "": (),
}  # and what their prompts are called


@dataclass(frozen=True, kw_only=True)
class SentenceEncoder(SentenceEncoderSettings):
    """A handle with the fields of `SentenceEncoderSettings`; weights are loaded on first use."""

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The folder on disk; fetched if need be."""
        return self.source()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over weights, config, tokenizer, pooling and prompts."""
        own, prompts = self.checkpoint, {side: text for side in SIDES if (text := self.prompt(side))}
        parts = [own.weights_sha256, own.config_sha256, own.tokenizer_sha256, self.pooling, self.max_tokens]
        return fingerprint([*parts, prompts] if prompts else parts)

    @cached_property
    def pooling(self) -> str:
        """`mean` or `cls`.

        Raises:
            BadInput: the folder does something else, or more.
        """
        kinds = [str(module["type"]).rpartition(".")[2] for module in self._json("modules.json", [])]
        if strange := [kind for kind in kinds if kind not in KNOWN]:
            raise BadInput(f"{self.name} has a {strange[0]} module; expected no more than {', '.join(KNOWN)}")
        modes = self._json("1_Pooling/config.json", {"pooling_mode_mean_tokens": True})
        if not modes.get("include_prompt", True) and any(map(self.prompt, SIDES)):
            raise BadInput(f"{self.name} leaves its prompts out of the mean; expected one that pools over all tokens")
        found = [name for name, on in modes.items() if name.startswith("pooling_mode_") and on]
        names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
        if len(found) != 1 or found[0] not in names:
            raise BadInput(f"{self.name} pools by {', '.join(found) or 'nothing'}; expected mean or CLS pooling alone")
        return names[found[0]]

    @cached_property
    def max_tokens(self) -> int:
        """Tokens after which a text is cut."""
        longest = int(self.checkpoint.config.get("max_position_embeddings", 512))
        return int(self._json("sentence_bert_config.json", {}).get("max_seq_length") or longest)

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """Its tokenizer."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.checkpoint.folder, local_files_only=True)

    def prompt(self, side: str) -> str:
        """What it puts before a `query`, a `document` or, where the side is empty, any text; mostly nothing.

        Raises:
            BadInput: the folder names a prompt that it does not have.
        """
        config = self._json("config_sentence_transformers.json", {})
        prompts, usual = config.get("prompts") or {}, config.get("default_prompt_name")
        name = next((name for name in SIDES[side] if name in prompts), usual)
        if name is not None and name not in prompts:
            raise BadInput(f"{self.name} has no prompt {name!r}, its default; {expected(name, prompts)}")
        return str(prompts[name]) if name is not None else ""

    def cut(self, texts: Sequence[str], side: str = "") -> int:
        """How many of the texts are longer than it reads, the prompt included."""
        whole = self.tokenizer([self.prompt(side) + text for text in texts], truncation=False, verbose=False)
        return sum(len(ids) > self.max_tokens for ids in whole["input_ids"])

    def encode(self, texts: Sequence[str], side: str = "") -> Float[Tensor, "text d"]:
        """Unit vectors, in the order of the texts, as float32 on the CPU.

        Args:
            side: `query` or `document`, whose prompts the folder may tell apart; empty for neither.
        """
        whole = [self.prompt(side) + text for text in texts]
        encoded = self.tokenizer(whole, truncation=True, max_length=self.max_tokens)
        lengths = np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)
        vectors = torch.empty(len(lengths), int(self.checkpoint.config["hidden_size"]))
        for batch in batches_under(length_sorted(lengths), lengths, TOKEN_BUDGET):
            rows = [{key: encoded[key][i] for key in encoded} for i in batch]
            vectors[batch] = self._pooled(self.tokenizer.pad(rows, return_tensors="pt"))
        return vectors

    @torch.inference_mode()
    def _pooled(self, batch: Any) -> Float[Tensor, "text d"]:
        states = self._model(**batch.to(self._model.device)).last_hidden_state.float()
        mask = batch["attention_mask"].float()
        total = einsum(states, mask, "text pos d, text pos -> text d")
        pooled = states[:, 0] if self.pooling == "cls" else total / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(pooled, dim=-1).cpu()

    @cached_property
    def _model(self) -> Any:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return load_weights("AutoModel", self.checkpoint, device=device, zeroed=POOLER)

    def _json(self, name: str, default: Any) -> Any:
        path = self.checkpoint.folder / name
        return json.loads(path.read_text()) if path.is_file() else default

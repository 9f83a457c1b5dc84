"""`SentenceEncoder`: a model trained to put sentences of like meaning near each other; the yardstick for retrieval.

    e(text) = normalised mean over tokens of the last hidden states     (Reimers & Gurevych 2019, "Sentence-BERT")

It reads folders in sentence-transformers' format with transformers alone. What a folder does beyond mean or CLS pooling
and normalising, such as a dense layer behind, is refused and not left out.
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

from latentmech.errors import BadInput
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


@dataclass(frozen=True, kw_only=True)
class SentenceEncoder(SentenceEncoderSettings):
    """A handle with the fields of `SentenceEncoderSettings`; weights are loaded on first use."""

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The folder on disk; fetched if need be."""
        return self.source()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over weights, config, tokenizer and pooling."""
        own = self.checkpoint
        return fingerprint([own.weights_sha256, own.config_sha256, own.tokenizer_sha256, self.pooling, self.max_tokens])

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

    def cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than it reads."""
        whole = self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return sum(len(ids) > self.max_tokens for ids in whole)

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "text d"]:
        """Unit vectors, in the order of the texts, as float32 on the CPU."""
        encoded = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
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

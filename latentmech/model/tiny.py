"""A GPT-2 of three small blocks over single bytes, made on the spot: for tests and for a first look offline."""

import json
from dataclasses import dataclass
from pathlib import Path

from latentmech.errors import BadInput
from latentmech.fields import Positive, check
from latentmech.model.checkpoint import Checkpoint, filling
from latentmech.storage import cache_root, fingerprint

SPECIAL = ("<|bos|>", "<|eos|>", "<|pad|>")
VERSION = 2  # raise when what is written changes, so that old folders are left aside
CHAT_TEMPLATE = "{% for m in messages %}<|bos|>{{ m.role }}: {{ m.content }}<|eos|>{% endfor %}"


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """Random weights of a fixed shape. It knows nothing; what it is good for is being quick and offline."""

    n_layers: Positive = 3
    d_model: Positive = 32
    n_heads: Positive = 2
    n_ctx: Positive = 512
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "model.source")
        if self.d_model % self.n_heads:
            raise BadInput(f"model.source.d_model={self.d_model} does not divide among {self.n_heads} heads")

    def __call__(self) -> Checkpoint:
        """Make it, unless it is there already."""
        name = f"tiny-{fingerprint([VERSION, vars(self)])[:16]}"
        folder = cache_root() / "models" / name
        if not folder.exists():
            with filling(folder) as temporary:
                self._write(temporary)
        return Checkpoint(folder, revision=f"seed {self.seed}", note="random weights: nothing here is about language")

    def _write(self, folder: Path) -> None:
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        ids = {token: i for i, token in enumerate(SPECIAL)}
        config = GPT2Config(
            n_layer=self.n_layers,
            n_embd=self.d_model,
            n_head=self.n_heads,
            n_positions=self.n_ctx,
            vocab_size=256 + len(SPECIAL),
            bos_token_id=ids["<|bos|>"],
            eos_token_id=ids["<|eos|>"],
            pad_token_id=ids["<|pad|>"],
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1_000_003 + self.seed)  # the random-weights control of seed 0 must not be this very model
            GPT2LMHeadModel(config).save_pretrained(folder)
        _write_tokenizer(folder)


def _write_tokenizer(folder: Path) -> None:
    """Byte-level BPE without merges: every byte is a token, so every word is several."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[0],
        "eos_token": SPECIAL[1],
        "pad_token": SPECIAL[2],
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

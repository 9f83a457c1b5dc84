"""Small random checkpoints of several architectures, written to a folder as transformers would."""

from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    OpenAIGPTConfig,
    OPTConfig,
    PretrainedConfig,
    RwkvConfig,
)

from latentmech.model import Tiny

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
SHARED = SIZES | {"num_key_value_heads": 2, "vocab_size": 259, "max_position_embeddings": 256}
SPECIAL = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
CONFIGS = {
    "gpt2": lambda: GPT2Config(n_layer=3, n_embd=32, n_head=4, n_positions=256, vocab_size=259, **SPECIAL),
    "llama": lambda: LlamaConfig(**SHARED, **SPECIAL),
    "llama_wide": lambda: LlamaConfig(**SHARED | {"hidden_size": 128, "intermediate_size": 192}, **SPECIAL),
    "gemma3": lambda: Gemma3TextConfig(**SHARED, **SPECIAL, head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
    "gemma2": lambda: Gemma2Config(**SHARED, **SPECIAL, head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
    "granite": lambda: GraniteConfig(**SHARED, **SPECIAL, residual_multiplier=0.5),
    "neox": lambda: GPTNeoXConfig(**SIZES, **SPECIAL, vocab_size=259, max_position_embeddings=256),
    "openai": lambda: OpenAIGPTConfig(n_layer=3, n_embd=32, n_head=4, n_positions=256, vocab_size=259, **SPECIAL),
    "opt": lambda: opt_config(),
    "opt_proj": lambda: opt_config(do_layer_norm_before=False, word_embed_proj_dim=16),
    "rwkv": lambda: RwkvConfig(
        vocab_size=259, hidden_size=32, attention_hidden_size=32, num_hidden_layers=3, context_length=256, **SPECIAL
    ),
}


def opt_config(**own):
    """OPT keeps its sizes under names of its own."""
    sizes = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    sizes |= {"vocab_size": 259, "max_position_embeddings": 256, "word_embed_proj_dim": 32}
    return OPTConfig(**sizes | own, **SPECIAL)


def write_checkpoint(folder: Path, architecture: str, seed: int = 0) -> Path:
    """One of the architectures, with random weights."""
    return write_random(folder, CONFIGS[architecture](), seed)


def write_random(folder: Path, config: PretrainedConfig, seed: int = 0) -> Path:
    """Random weights large enough that every block matters, under the tiny model's tokenizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for weight in model.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(Tiny()().folder).save_pretrained(folder)
    return folder

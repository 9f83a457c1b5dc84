"""A little llama, and GGUF files of it as llama.cpp would write them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from architectures import CONFIGS
from gguf import GGUFWriter
from transformers import AutoModelForCausalLM, AutoTokenizer

from latentmech.model import Tiny

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers.": "blk.",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
}


def made_llama(**settings: Any):
    """Three small blocks in single precision; `settings` are of its config."""
    config = CONFIGS["llama"]()
    for name, value in {"tie_word_embeddings": False, "vocab_size": 260, **settings}.items():
        setattr(config, name, value)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def write_gguf(
    path: Path,
    llama,
    keys: Mapping[str, Any] | None = None,
    tensors: Mapping[str, np.ndarray] | None = None,
    only: Callable[[str], bool] = lambda name: True,
) -> Path:
    """The llama in a GGUF file; its tokens are the tiny model's bytes and `ab`.

    Args:
        keys: further metadata by name.
        tensors: further tensors by name.
        only: which of its own tensors the file holds.
    """
    writer, config = GGUFWriter(path, "llama"), llama.config
    writer.add_name("little llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    tokenizer = AutoTokenizer.from_pretrained(Tiny()().folder)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*tokenizer.convert_ids_to_tokens(range(259)), "ab"])
    writer.add_token_types([3] * 3 + [1] * 257)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    add = {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32, bool: writer.add_bool}
    for name, value in (keys or {}).items():
        add[type(value)](name, value)
    for name, tensor in llama.state_dict().items():
        if only(gguf_name(name)):
            writer.add_tensor(gguf_name(name), gguf_layout(name, tensor, config))
    for name, array in (tensors or {}).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_name(name: str) -> str:
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name


def gguf_layout(name: str, tensor: torch.Tensor, config) -> np.ndarray:
    """llama.cpp pairs the rotated halves of each query and key head."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    n = next((heads[part] for part in heads if part in name), None)
    if n is not None:
        tensor = tensor.reshape(n, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
    return tensor.contiguous().numpy()

#!/usr/bin/env bash
# transformers 5.23.0, gguf 0.19.0: a GGUF file's rope scaling is dropped when it is loaded.
# Expected: the keys "llama.rope.scaling.type" and ".factor" (linear, YaRN) reach the config, and so does the tensor
#   "rope_freqs.weight", which holds the scaling of Llama 3.1 and later; or what is not read is listed as unexpected.
#   The file here has both.
# Happens: the config says rope_type "default", the frequencies are unscaled, and output_loading_info names nothing.
# Bites: everything beyond the first tokens is read at other positions than in llama.cpp; the longer the text, the
#   worse, and short prompts look right.
# Seen:
#   transformers 5.23.0 gguf 0.19.0
#   in the file:   llama.rope.scaling.type llama.rope.scaling.factor rope_freqs.weight
#   in the config: {'rope_theta': 10000.0, 'rope_type': 'default'}
#   frequencies are those without scaling: True
#   unexpected keys: []
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - "$folder" 2>/dev/null <<'PY'
import sys

import gguf
import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM

random = np.random.default_rng(0)


def tensor(*shape):
    return random.normal(size=shape, scale=0.3).astype(np.float32)


def write(path, scaled):
    """A Llama of one block, d_model 32, 2 heads of 16."""
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(4096)
    out.add_embedding_length(32)
    out.add_block_count(1)
    out.add_feed_forward_length(64)
    out.add_head_count(2)
    out.add_head_count_kv(2)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(16)
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(64)
    if scaled:
        out.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        out.add_rope_scaling_factor(8.0)
        out.add_tensor("rope_freqs.weight", np.full(8, 8.0, np.float32))
    for name in ("token_embd", "output"):
        out.add_tensor(f"{name}.weight", tensor(64, 32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        out.add_tensor(f"{name}.weight", np.ones(32, np.float32))
    shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (32, 32))
    shapes |= {"ffn_gate": (64, 32), "ffn_up": (64, 32), "ffn_down": (32, 64)}
    for name, shape in shapes.items():
        out.add_tensor(f"blk.0.{name}.weight", tensor(*shape))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


write(sys.argv[1] + "/scaled.gguf", scaled=True)
keys = [key for key in gguf.GGUFReader(sys.argv[1] + "/scaled.gguf").fields if "rope.scaling" in key]
model, loading = AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file="scaled.gguf", output_loading_info=True)
rope = model.config.rope_parameters
unscaled = 10000.0 ** (-torch.arange(0, 16, 2) / 16)
same = bool(torch.allclose(model.model.rotary_emb.inv_freq, unscaled))
print("transformers", transformers.__version__, "gguf", "0.19.0")
print("in the file:  ", *keys, "rope_freqs.weight")
print("in the config:", rope)
print("frequencies are those without scaling:", same)
print("unexpected keys:", sorted(loading["unexpected_keys"]))
raise SystemExit(0 if keys and rope["rope_type"] == "default" and same and not loading["unexpected_keys"] else 1)
PY

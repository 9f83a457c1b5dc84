#!/usr/bin/env bash
# transformers 5.23.0: Falcon with ALiBi gives other logits under attn_implementation="eager" than under "sdpa".
# Expected: the implementation of attention changes speed and the seventh digit.
# Happens: the model adds the ALiBi bias to the attention mask, and the eager branch of FalconAttention adds it to the
#   scores once more: the bias counts twice. Adding it once by hand (slopes halved under eager) gives the sdpa logits.
# Bites: whoever asks for attention patterns, or hooks them (TransformerLens switches to eager), reads another model
#   than the one that generates. Rotary Falcons are not touched. Near it upstream: huggingface/transformers#29946,
#   closed by #30123.
# Seen:
#   transformers 5.23.0 with a random Falcon of two blocks: largest difference in logits
#   rotary, eager and sdpa:             1.5e-06
#   ALiBi, eager and sdpa:              3.6e-01  (logits up to 6.2)
#   ALiBi, eager with half a bias, sdpa: 1.7e-06
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - 2>/dev/null <<'PY'
import torch
import transformers
from transformers import FalconConfig, FalconForCausalLM
from transformers.models.falcon import modeling_falcon


def logits(alibi, implementation):
    torch.manual_seed(0)
    size = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = FalconConfig(**size, alibi=alibi, initializer_range=0.3)
    model = FalconForCausalLM._from_config(config, attn_implementation=implementation).eval()
    with torch.no_grad():
        return model(torch.arange(20)[None]).logits


print("transformers", transformers.__version__, "with a random Falcon of two blocks: largest difference in logits")
differences = {alibi: (logits(alibi, "eager") - logits(alibi, "sdpa")).abs().max().item() for alibi in (False, True)}
build = modeling_falcon.build_alibi_tensor
sdpa = logits(True, "sdpa")
modeling_falcon.build_alibi_tensor = lambda *given, **named: build(*given, **named) / 2
once = (logits(True, "eager") - sdpa).abs().max().item()
print(f"rotary, eager and sdpa:             {differences[False]:.1e}")
print(f"ALiBi, eager and sdpa:              {differences[True]:.1e}  (logits up to {sdpa.abs().max().item():.1f})")
print(f"ALiBi, eager with half a bias, sdpa: {once:.1e}")
raise SystemExit(0 if differences[False] < 1e-4 and differences[True] > 1e-2 and once < 1e-4 else 1)
PY

#!/usr/bin/env bash
# peft 0.21.2 (transformers 5.23.0): merging a LoRA on a tied embedding gives another model than the one that was
#   trained.
# Expected: merge_and_unload() keeps the logits, above all with ensure_weight_tying=True, the setting made for this
#   case.
# Happens: with it, embedding and head each hold the same adapter and one shared matrix, to which both are added: the
#   merged weight has moved twice as far. Without it the update of the embedding reaches the head as well. Both only
#   warn that merging "can lead to complications".
# Bites: adapters that train new tokens (embed_tokens) on a small model with tied embeddings: evaluated unmerged,
#   shipped merged. Upstream: huggingface/peft#2018, #2864.
# Seen:
#   peft 0.21.2 transformers 5.23.0
#   ensure_weight_tying=False: logits up to 0.20 change by 4.79, updates added: 1.00
#   ensure_weight_tying=True: logits up to 5.21 change by 5.26, updates added: 2.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 peft==0.21.2
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - 2>/dev/null <<'PY'
from importlib.metadata import version

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM


def trial(tied):
    """How far merging moves a logit, how often the update is in the merged embedding, and the largest logit."""
    torch.manual_seed(0)
    size = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(**size, num_hidden_layers=1, tie_word_embeddings=True)).eval()
    before = model.get_input_embeddings().weight.detach().clone()
    wrapped = get_peft_model(
        model, LoraConfig(r=2, lora_alpha=2, target_modules=["embed_tokens"], ensure_weight_tying=tied)
    ).eval()
    adapter = wrapped.get_input_embeddings()
    torch.nn.init.normal_(adapter.lora_embedding_A["default"], std=0.3)
    torch.nn.init.normal_(adapter.lora_embedding_B["default"], std=0.3)
    update = (adapter.lora_embedding_B["default"] @ adapter.lora_embedding_A["default"]).T.detach()
    text = torch.arange(6)[None]
    with torch.no_grad():
        trained = wrapped(text).logits
        merged = wrapped.merge_and_unload()
        change = (merged(text).logits - trained).abs().max().item()
    moved = merged.get_input_embeddings().weight.detach() - before
    times = ((moved * update).sum() / (update * update).sum()).item()
    return change, times, trained.abs().max().item()


print("peft", version("peft"), "transformers", version("transformers"))
seen = {tied: trial(tied) for tied in (False, True)}
for tied, (change, times, largest) in seen.items():
    print(f"ensure_weight_tying={tied}: logits up to {largest:.2f} change by {change:.2f}, updates added: {times:.2f}")
raise SystemExit(0 if seen[False][0] > 0.1 and seen[True][0] > 0.1 and abs(seen[True][1] - 2) < 0.01 else 1)
PY

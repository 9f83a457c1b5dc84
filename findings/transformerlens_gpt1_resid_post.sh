#!/usr/bin/env bash
# transformer-lens 4.3.0 (transformers 5.23.0): on openai-gpt (GPT-1) blocks.N.hook_resid_post never fires.
# Expected: the hook point that hook_dict lists, and that the next block's hook_resid_pre equals, is called in a
#   forward; or it is absent, or asking for it raises.
# Happens: Hugging Face's block returns a list, TransformerLens hooks tensors and tuples only and passes the list
#   through. An edit there does nothing, run_with_cache leaves the name out, and nothing is said. hook_resid_pre
#   works.
# Bites: steering or ablation at resid_post "has no effect on GPT-1"; a buffer that the hook should fill keeps what it
#   held.
# Seen:
#   transformer-lens 4.3.0 on a random GPT-1 of two blocks
#   blocks.0.hook_resid_pre: listed True, calls 1, zeroing it moves a logit by 0.249
#   blocks.0.hook_resid_post: listed True, calls 0, zeroing it moves a logit by 0.000
#   blocks.1.hook_resid_pre: listed True, calls 1, zeroing it moves a logit by 0.249
#   blocks.1.hook_resid_post: listed True, calls 0, zeroing it moves a logit by 0.000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 transformer-lens==4.3.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - "$folder/model" 2>/dev/null <<'PY'
import sys
from importlib.metadata import version

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformer_lens.model_bridge import TransformerBridge
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel, PreTrainedTokenizerFast

words = {f"w{i}": i for i in range(63)} | {"<e>": 63}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="<e>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
special = dict.fromkeys(("unk_token", "bos_token", "eos_token", "pad_token"), "<e>")
PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(sys.argv[1])
torch.manual_seed(0)
config = OpenAIGPTConfig(vocab_size=64, n_embd=16, n_layer=2, n_head=2, n_positions=32)
OpenAIGPTLMHeadModel(config).save_pretrained(sys.argv[1])

bridge = TransformerBridge.boot_transformers(sys.argv[1], device="cpu")
text = torch.arange(5)[None]
names = [f"blocks.{block}.hook_resid_{end}" for block in (0, 1) for end in ("pre", "post")]
print("transformer-lens", version("transformer-lens"), "on a random GPT-1 of two blocks")
moved = {}
with torch.no_grad():
    clean = bridge(text)
    for name in names:
        calls = []
        edited = bridge.run_with_hooks(text, fwd_hooks=[(name, lambda resid, hook: (calls.append(1), resid * 0)[1])])
        moved[name] = (edited - clean).abs().max().item()
        listed = name in bridge.hook_dict
        print(f"{name}: listed {listed}, calls {len(calls)}, zeroing it moves a logit by {moved[name]:.3f}")
silent = [moved[name] for name in names if name.endswith("post")]
heard = [moved[name] for name in names if name.endswith("pre")]
raise SystemExit(0 if max(silent) == 0 and min(heard) > 0 else 1)
PY

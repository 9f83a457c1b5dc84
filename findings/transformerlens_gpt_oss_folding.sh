#!/usr/bin/env bash
# transformer-lens 4.3.0 (transformers 5.23.0): enable_compatibility_mode() turns a gpt_oss into another model.
# Expected: folding norms and centring weights leaves log-probabilities as they are, as it does for Llama; or a model
#   for which it would not is refused.
# Happens: the log-probabilities of gpt_oss move, and nothing is refused. With no_processing=True they stay, so the
#   processing of the weights is what moves them.
# Bites: everything that is measured in compatibility mode (the mode that old notebooks ask for) is about another
#   model.
# Seen:
#   transformer-lens 4.3.0 largest move of a log-probability by enable_compatibility_mode()
#   Llama:                        2.4e-06
#   gpt_oss:                      3.9e+00
#   gpt_oss, no_processing=True:  0.0e+00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 transformer-lens==4.3.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - "$folder" 2>/dev/null <<'PY'
import sys
from importlib.metadata import version

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformer_lens.model_bridge import TransformerBridge
from transformers import GptOssConfig, GptOssForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

words = {f"w{i}": i for i in range(63)} | {"<e>": 63}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="<e>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
special = dict.fromkeys(("unk_token", "bos_token", "eos_token", "pad_token"), "<e>")
size = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
size |= {"num_key_value_heads": 1, "head_dim": 8}
text = torch.arange(8)[None]


def moved(model, **processing):
    """How far compatibility mode moves a log-probability of a model with random weights and norms near 1."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(0.5 + torch.rand_like(weight) if "norm" in name else 0.3 * torch.randn_like(weight))
    folder = sys.argv[1] + "/" + type(model).__name__
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(folder, device="cpu")
    with torch.no_grad():
        before = bridge(text).log_softmax(-1)
        bridge.enable_compatibility_mode(disable_warnings=True, **processing)
        return (bridge(text).log_softmax(-1) - before).abs().max().item()


def gpt_oss():
    return GptOssForCausalLM(GptOssConfig(**size, num_local_experts=4, num_experts_per_tok=2))


print("transformer-lens", version("transformer-lens"), "largest move of a log-probability by enable_compatibility_mode()")
llama = moved(LlamaForCausalLM(LlamaConfig(**size)))
processed, unprocessed = moved(gpt_oss()), moved(gpt_oss(), no_processing=True)
print(f"Llama:                        {llama:.1e}")
print(f"gpt_oss:                      {processed:.1e}")
print(f"gpt_oss, no_processing=True:  {unprocessed:.1e}")
raise SystemExit(0 if llama < 1e-3 and processed > 0.05 and unprocessed < 1e-3 else 1)
PY

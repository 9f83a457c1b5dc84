"""What the plain transformers model computes, one text at a time and without padding."""

from functools import cache
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

# Where a block's parts lie in transformers' own modules: (attention, norm before the MLP's input, MLP)
PARTS = {"gpt2": ("attn", "ln_2", "mlp"), "llama": ("self_attn", "post_attention_layernorm", "mlp")}


@cache
def levels(folder: Path, texts_ids: tuple[tuple[int, ...], ...]) -> list[torch.Tensor]:
    """Per text `[level, pos, d_model]`: the embedding and every block's output, the last before the final norm."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    blocks = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList))
    outputs = []
    for ids in texts_ids:
        last = []
        hook = blocks[-1].register_forward_hook(lambda module, args, out, last=last: last.append(first_of(out)))
        with torch.no_grad():
            states = model(torch.as_tensor(ids)[None], output_hidden_states=True).hidden_states
        hook.remove()
        outputs.append(torch.cat([*states[:-1], *last]))
    return outputs


def sites(folder: Path, ids, family: str) -> dict[str, torch.Tensor]:
    """For one text, each site of every block `[block, pos, d_model]`, by hooks on transformers' modules."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    blocks = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList))
    attention, norm, mlp = PARTS[family]
    found = {name: [] for name in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")}
    for block in blocks:
        block.register_forward_pre_hook(lambda m, args: found["resid_pre"].append(args[0][0]))
        getattr(block, attention).register_forward_hook(lambda m, a, out: found["attn_out"].append(first_of(out)[0]))
        getattr(block, norm).register_forward_pre_hook(lambda m, args: found["resid_mid"].append(args[0][0]))
        getattr(block, mlp).register_forward_hook(lambda m, a, out: found["mlp_out"].append(first_of(out)[0]))
        block.register_forward_hook(lambda m, a, out: found["resid_post"].append(first_of(out)[0]))
    with torch.no_grad():
        model(torch.as_tensor(ids)[None])
    return {name: torch.stack(values) for name, values in found.items()}


def first_of(out):
    return out[0] if isinstance(out, tuple) else out


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest over levels and tokens of |difference| / |expected|, as vectors `[..., d_model]`."""
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())

"""Edits made by hand: on the plain transformers model, one text at a time, without padding or cache."""

from functools import cache

import torch
from transformers import AutoModelForCausalLM

from latentmech.model import pad, tokenise

TEXTS = ["A cat sat on the mat.", "I", "Berlin lies", "Who? Nobody"]


def batch_of(model, texts=TEXTS, side="right"):
    return pad(tokenise(model, texts, texts).ids, 2, side, model.torch_device)


def vector(model) -> torch.Tensor:
    return torch.randn(model.d_model, generator=torch.Generator().manual_seed(3)) * 2


@cache
def plain(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def blocks(hf) -> torch.nn.ModuleList:
    return next(m for m in hf.modules() if isinstance(m, torch.nn.ModuleList))


def edited_logits(model, ids, change, layer=1) -> torch.Tensor:
    """Logits `[pos, vocab]` of one text, a block's output changed by a torch hook."""
    hf = plain(model.checkpoint.folder)
    handle = blocks(hf)[layer].register_forward_hook(lambda module, args, out: change(out))
    try:
        with torch.no_grad():
            return hf(torch.as_tensor(ids)[None]).logits[0]
    finally:
        handle.remove()


def turned(resid) -> torch.Tensor:
    """An edit that leaves nothing as it was: a model under it says other things at every step."""
    return resid.roll(1, -1)


def edited_inside(edit, length, n_prompt, scope):
    """Edits the tokens of a text that lie in the scope, which Python counts one by one."""
    chosen = torch.tensor([inside(at, n_prompt, **scope) for at in range(length)])
    return lambda out: torch.where(chosen[:, None], edit(out), out)


def inside(at, n_prompt, prompt=True, generated=True, first=0, last=None) -> bool:
    wanted = prompt if at < n_prompt else generated
    return wanted and first <= at and (last is None or at < last)


def greedy(model, ids, n_tokens, edit, scope) -> list[int]:
    """New tokens of one prompt, the whole text run again for each."""
    text = list(ids)
    for _ in range(n_tokens):
        change = edited_inside(edit, len(text), len(ids), scope)
        text.append(int(edited_logits(model, text, change)[-1].argmax()))
    return text[len(ids) :]

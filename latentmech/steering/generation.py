"""Texts in, texts out: variants of a model on the same prompts, in batches that fit."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.model import Batch, Model, Scope, Variant, engine_of, length_sorted, pad, tokenise

EVERYWHERE = Scope()
ROWS = 96  # rows that run together: more gain nothing on a CPU


def completions(
    model: Model, variants: Sequence[Variant], texts: Sequence[str], n_tokens: int, *, scope: Scope = EVERYWHERE,
    progress: Callable[[int], object] = int,
) -> list[list[str]]:  # fmt: skip
    """Greedy answers to every text under every variant; `progress` is called with the number of those just done."""
    found: list[list[str]] = [[""] * len(texts) for _ in variants]
    size = 1 + ROWS // max(1, min(len(texts), ROWS))
    for at in range(0, len(variants), size):
        some = variants[at : at + size]
        for places, batch in batches(model, texts, max(1, ROWS // len(some))):
            runs = engine_of(model).generate(some, batch, n_tokens, scope=scope)
            for answers, generated in zip(found[at : at + size], runs, strict=True):
                for place, ids, length in zip(places, generated.ids, generated.lengths.tolist(), strict=True):
                    answers[place] = str(model.tokenizer.decode(ids[:length], skip_special_tokens=True))
            progress(len(some) * len(places))
    return found


def next_logits(
    model: Model, variants: Sequence[Variant], texts: Sequence[str],
    read: Callable[[Float[Tensor, "prompt vocab"], Sequence[int]], Float[Tensor, "prompt *read"]],
    *, scope: Scope = EVERYWHERE, progress: Callable[[int], object] = int,
) -> Float[Tensor, "variant prompt *read"]:  # fmt: skip
    """A number, or several, from the next-token logits of every text under every variant.

    `read` takes those of some prompts under one variant, and which these are; the first variant of them comes first.
    """
    values = torch.empty(0)
    for places, batch in batches(model, texts, 16):
        size = max(1, ROWS // len(places))
        for at in range(0, len(variants), size):
            logits = engine_of(model).logits(variants[at : at + size], batch, scope=scope)[:, :, 0]
            for variant, own in enumerate(logits, at):
                one = read(own, places).float().cpu()
                values = values if len(values) else torch.empty(len(variants), len(texts), *one.shape[1:])
                values[variant, places] = one
            progress(len(logits) * len(places))
    return values


def batches(model: Model, texts: Sequence[str], size: int) -> list[tuple[list[int], Batch]]:
    """Texts of similar length together: their places, and their tokens."""
    tokens = tokenise(model, texts, [f"{i}" for i in range(len(texts))])
    order = length_sorted(tokens.lengths)
    pad_id = model.tokenizer.pad_token_id or 0
    parts = [order[at : at + size] for at in range(0, len(order), size)]
    return [(part, pad([tokens.ids[i] for i in part], pad_id, "left", model.torch_device)) for part in parts]

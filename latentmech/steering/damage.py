"""What steering costs: how unlikely its own text and a neutral text become, and how much the model repeats itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import Corpus
from latentmech.model import Batch, Model, Scope, packed_generate, packed_logits, pad, tokenise
from latentmech.steering.generation import EVERYWHERE, Variant, batches

CONTEXT = 128  # tokens of a neutral text that are read in one piece


@dataclass(frozen=True)
class Clean:
    """What the untouched model says after each prompt, and its distributions while saying it.

    Attributes:
        batch: prompts followed by their continuation, all of one length of continuation.
        n_prompt: length of each prompt.
        log_probs: next-token log-probabilities over the continuation.
        targets: the continuation's tokens.
    """

    places: Sequence[int]
    batch: Batch
    n_prompt: Int[Tensor, " prompt"]
    log_probs: Float[Tensor, "prompt token vocab"]
    targets: Int[Tensor, "prompt token"]


def clean_runs(model: Model, texts: Sequence[str], n_tokens: int) -> list[Clean]:
    """Greedy continuations of exactly `n_tokens` tokens (a text that would end goes on), a few prompts at a time."""
    return [_clean(model, places, batch, n_tokens) for places, batch in batches(model, texts, 8)]


def _clean(model: Model, places: Sequence[int], batch: Batch, n_tokens: int) -> Clean:
    (generated,) = packed_generate(model, [{}], batch, n_tokens, stop=())
    whole = Batch(
        torch.cat([batch.ids, generated.ids], 1),
        torch.cat([batch.mask, torch.ones_like(generated.ids)], 1),
        batch.shift,
    )
    n_prompt = batch.mask.sum(1)
    logits = packed_logits(model, [{}], whole, n_tokens + 1, n_prompt=n_prompt)[0, :, :-1]
    return Clean(places, whole, n_prompt, logits.float().log_softmax(-1), generated.ids)


@dataclass(frozen=True)
class Drift:
    """How far a variant is from the untouched model on the latter's own text, per prompt.

    Attributes:
        kl: KL divergence from the untouched model's next-token distribution, in nats per token.
        log_loss: of the untouched model's text under the variant, in nats per token.
    """

    kl: Float[Tensor, "variant prompt"]
    log_loss: Float[Tensor, "variant prompt"]


def drift(
    model: Model,
    variants: Sequence[Variant],
    runs: Sequence[Clean],
    *,
    scope: Scope = EVERYWHERE,
    progress: Callable[[int], object] = int,
) -> Drift:
    """Both for every variant; variants are run a few at a time, because logits over a vocabulary are large."""
    n = sum(len(run.places) for run in runs)
    kl, loss = torch.empty(len(variants), n), torch.empty(len(variants), n)
    for run in runs:
        n_tokens = run.targets.shape[1]
        for at in range(0, len(variants), 4):
            some = variants[at : at + 4]
            logits = packed_logits(model, some, run.batch, n_tokens + 1, n_prompt=run.n_prompt, scope=scope)
            for offset, own in enumerate(logits[:, :, :-1]):
                chances = own.float().log_softmax(-1)
                kl[at + offset, run.places] = (run.log_probs.exp() * (run.log_probs - chances)).sum(-1).mean(1).cpu()
                picked = chances.gather(2, run.targets.unsqueeze(2)).squeeze(2)
                loss[at + offset, run.places] = -picked.mean(1).cpu()
            progress(len(some) * len(run.places))
    return Drift(kl, loss)


def neutral_perplexity(
    model: Model, variants: Sequence[Variant], words: int, *, scope: Scope = EVERYWHERE, seed: int = 0
) -> list[float]:
    """Perplexity per token of documents of the bundled treebank under every variant; all of the text counts as prompt.

    Args:
        words: about so many words of it.
        seed: which documents.
    """
    batch = _neutral(model, words, seed)
    parts = [
        Batch(batch.ids[at : at + 4], batch.mask[at : at + 4], batch.shift[at : at + 4])
        for at in range(0, len(batch.ids), 4)
    ]
    return [float(np.exp(np.mean([_log_loss(model, v, part, scope) for part in parts]))) for v in variants]


def _neutral(model: Model, words: int, seed: int) -> Batch:
    """Documents as running text, cut into pieces of one length that all begin as the model's texts do."""
    examples = Corpus(limit=words, limit_seed=seed)()
    tokens = tokenise(model, examples.texts, examples.ids)
    begin = tokens.ids[0][: tokens.n_bos[0]]
    ids = np.concatenate([row[n:] for row, n in zip(tokens.ids, tokens.n_bos, strict=True)])
    size = min(CONTEXT, model.n_ctx) - len(begin)
    pieces = [np.concatenate([begin, ids[at : at + size]]) for at in range(0, len(ids) - size + 1, size)]
    return pad(pieces or [ids], model.tokenizer.pad_token_id or 0, "right", model.torch_device)


def _log_loss(model: Model, variant: Variant, batch: Batch, scope: Scope) -> float:
    """Mean over a few pieces of one length, in nats per token."""
    logits = packed_logits(model, [variant], batch, batch.ids.shape[1], scope=scope)[0, :, :-1]
    picked = logits.float().log_softmax(-1).gather(2, batch.ids[:, 1:].unsqueeze(2))
    return float(-picked.mean())


def repetition(texts: Sequence[str]) -> float:
    """Share of word trigrams that stood earlier in the same text, over all texts; 0 where there is none."""
    repeated = total = 0
    for text in texts:
        words = text.lower().split()
        trigrams = list(zip(words, words[1:], words[2:], strict=False))
        total += len(trigrams)
        repeated += len(trigrams) - len(set(trigrams))
    return repeated / total if total else 0.0

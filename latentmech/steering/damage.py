"""What steering does to text: how unlikely it and a neutral one become, what it repeats, and what is read in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Request, collect
from latentmech.data import Corpus, units_of
from latentmech.direction import Direction
from latentmech.model import (
    Batch,
    Model,
    Scope,
    engine_of,
    length_sorted,
    pad,
    text_rows,
    tokenise,
)
from latentmech.steering.generation import EVERYWHERE, Variant, batches

CONTEXT = 128  # tokens of a neutral text that are read in one piece
LOGITS = 2**26  # numbers of a neutral text's logits held at once


@dataclass(frozen=True)
class Untouched:
    """What the untouched model says after each prompt, and its next-token distributions while saying it."""

    places: Sequence[int]
    batch: Batch  # prompts followed by their continuation, all of one length of continuation
    n_prompt: Int[Tensor, " prompt"]
    log_probs: Float[Tensor, "prompt token vocab"]
    targets: Int[Tensor, "prompt token"]  # the continuation


def untouched_runs(model: Model, texts: Sequence[str], n_tokens: int) -> list[Untouched]:
    """Greedy continuations of exactly `n_tokens` tokens (a text that would end goes on), a few prompts at a time."""
    runs = []
    for places, batch in batches(model, texts, 8):
        (generated,) = engine_of(model).generate([{}], batch, n_tokens, stop=())
        mask, n_prompt = torch.cat([batch.mask, torch.ones_like(generated.ids)], 1), batch.mask.sum(1)
        whole = Batch(torch.cat([batch.ids, generated.ids], 1), mask, batch.shift)
        logits = engine_of(model).logits([{}], whole, n_tokens + 1, n_prompt=n_prompt)[0, :, :-1]
        runs.append(Untouched(places, whole, n_prompt, logits.float().log_softmax(-1), generated.ids))
    return runs


@dataclass(frozen=True)
class Divergence:
    """KL from the untouched model on its own text, and log-loss of that text, in nats per token of each prompt."""

    kl: Float[Tensor, "variant prompt"]
    log_loss: Float[Tensor, "variant prompt"]


def divergence(
    model: Model, variants: Sequence[Variant], runs: Sequence[Untouched], *, scope: Scope = EVERYWHERE,
    progress: Callable[[int], object] = int,
) -> Divergence:  # fmt: skip
    """Of every variant; these are run a few at a time, because logits over a vocabulary are large."""
    n = sum(len(run.places) for run in runs)
    kl, loss = torch.empty(len(variants), n), torch.empty(len(variants), n)
    for run in runs:
        n_tokens = run.targets.shape[1]
        for at in range(0, len(variants), 4):
            some = variants[at : at + 4]
            logits = engine_of(model).logits(some, run.batch, n_tokens + 1, n_prompt=run.n_prompt, scope=scope)
            for offset, own in enumerate(logits[:, :, :-1]):
                chances = own.float().log_softmax(-1)
                kl[at + offset, run.places] = kl_of(run.log_probs, chances).mean(1).cpu()
                loss[at + offset, run.places] = -chances.gather(2, run.targets.unsqueeze(2)).squeeze(2).mean(1).cpu()
            progress(len(some) * len(run.places))
    return Divergence(kl, loss)


def kl_of(clean: Float[Tensor, "*rows vocab"], other: Float[Tensor, "*rows vocab"]) -> Float[Tensor, "*rows"]:
    """KL divergence of other log-probabilities from the untouched model's, in nats: sum p (log p - log q)."""
    return (clean.exp() * (clean - other)).sum(-1)


def neutral_perplexity(
    model: Model, variants: Sequence[Variant], words: int, *, scope: Scope = EVERYWHERE, seed: int = 0
) -> list[float]:
    """Perplexity per token of about so many words of the bundled treebank under every variant; all count as prompt.

    exp(sum of -log p / number of tokens) over all tokens, those of a shorter last piece included; `seed` says which
    documents. Variants run side by side, so that the blocks below the lowest edit run once for all of them.
    """
    losses, n = torch.zeros(len(variants), dtype=torch.float64), 0
    rows = max(1, LOGITS // (CONTEXT * len(model.tokenizer)))
    for batch in _neutral(model, words, seed, max(1, rows // len(variants))):
        n += batch.ids[:, 1:].numel()
        for at in range(0, len(variants), rows):
            logits = engine_of(model).logits(variants[at : at + rows], batch, batch.ids.shape[1], scope=scope)[
                :, :, :-1
            ]
            for offset, own in enumerate(logits):
                picked = own.float().log_softmax(-1).gather(2, batch.ids[:, 1:].unsqueeze(2))
                losses[at + offset] -= picked.double().sum().cpu()
    return (losses / n).exp().tolist()


def _neutral(model: Model, words: int, seed: int, rows: int) -> list[Batch]:
    """Running text, so many rows together, in pieces that begin as the model's texts do: full ones, and the rest."""
    examples = Corpus(limit=words, limit_seed=seed)()
    tokens = tokenise(model, examples.texts, examples.ids)
    begin = tokens.ids[0][: tokens.n_bos[0]]
    ids = np.concatenate([row[n:] for row, n in zip(tokens.ids, tokens.n_bos, strict=True)])
    size = min(CONTEXT, model.n_ctx) - len(begin)
    pieces = [np.concatenate([begin, ids[at : at + size]]) for at in range(0, len(ids), size)]
    full = [piece for piece in pieces if len(piece) == len(begin) + size]
    rest = [piece for piece in pieces[len(full) :] if len(piece) > 1]  # one token has nothing to be predicted from
    parts = [same[at : at + rows] for same in (full, rest) for at in range(0, len(same), rows)]
    return [pad(part, model.tokenizer.pad_token_id or 0, "right", model.torch_device) for part in parts]


def repetition(texts: Sequence[str]) -> float:
    """Share of word trigrams that stood earlier in the same text, over all texts; 0 where there is none."""
    words = [units_of(text.lower()) for text in texts]
    trigrams = [list(zip(own, own[1:], own[2:], strict=False)) for own in words]
    total, distinct = sum(map(len, trigrams)), sum(len(set(own)) for own in trigrams)
    return (total - distinct) / total if total else 0.0


def readings(model: Model, direction: Direction, answers: Sequence[Sequence[str]]) -> Float[np.ndarray, " variant"]:
    """Mean projection of each variant's answers, as a distance from the first variant's in its standard deviations.

    They are read by the untouched model (whose own come first), at the direction's own place, as means over their
    tokens; empty answers are left out. This judges the text and not the edit, but by the same direction: it can be high
    for text that merely mentions the subject.
    """
    kept = [[text for text in texts if text.strip()] for texts in answers]
    flat = [text for texts in kept for text in texts]
    if not kept[0] or not flat:
        return np.full(len(answers), np.nan)
    tokens, names = tokenise(model, flat, [f"answer {i}" for i in range(len(flat))]), (direction.hook_name,)
    request = Request(model=model, tokens=tokens, rows=text_rows(tokens), hook_names=names, pooling="mean")
    order, along = length_sorted(tokens.lengths), np.empty(len(flat))
    along[order] = direction.project(collect(request, order)[0].float()).double().numpy()
    parts = np.split(along, np.cumsum([len(texts) for texts in kept])[:-1])
    spread = parts[0].std() or 1.0
    return np.array([(part.mean() - parts[0].mean()) / spread if len(part) else np.nan for part in parts])

"""Perplexity of a neutral text, by plain transformers; KL and repetition by hand."""

import math

import numpy as np
import pytest
import torch
from direction.made import made

from latentmech.data import Corpus
from latentmech.model import tokenise
from latentmech.steering import Addition, damage
from latentmech.steering.damage import divergence, kl_of, neutral_perplexity, repetition, untouched_runs


def by_hand(model, words, context, edit=None) -> tuple[float, int]:
    """exp(sum of -log p / tokens) over pieces of `context` tokens, the last and shorter one included."""
    examples = Corpus(limit=words, limit_seed=0)()
    tokens = tokenise(model, examples.texts, examples.ids)
    begin = tokens.ids[0][: tokens.n_bos[0]]
    ids = np.concatenate([row[n:] for row, n in zip(tokens.ids, tokens.n_bos, strict=True)])
    size, loss, n = context - len(begin), 0.0, 0
    hf = model.bridge.original_model
    for at in range(0, len(ids), size):
        piece = torch.as_tensor(np.concatenate([begin, ids[at : at + size]]))[None]
        if piece.shape[1] > 1:
            with torch.no_grad():
                log_probs = hf(input_ids=piece).logits[0, :-1].double().log_softmax(-1)
            loss -= float(log_probs.gather(1, piece[0, 1:, None]).sum())
            n += piece.shape[1] - 1
    return math.exp(loss / n), len(ids) % size


@pytest.mark.parametrize("context", [128, 100, 37])
def test_perplexity_is_over_all_tokens_the_last_piece_included(tiny, context, monkeypatch):
    monkeypatch.setattr(damage, "CONTEXT", context)
    wanted, rest = by_hand(tiny, 100, context)
    assert rest > 1
    assert neutral_perplexity(tiny, [{}], 100)[0] == pytest.approx(wanted, rel=1e-5)


def test_many_variants_together_are_each_by_itself(tiny, monkeypatch):
    direction = made(tiny)
    variants = [{}, *({direction.hook_name: Addition(size * direction.vector)} for size in (1.0, 30.0, 60.0))]
    together = neutral_perplexity(tiny, variants, 100)
    alone = [neutral_perplexity(tiny, [variant], 100)[0] for variant in variants]
    monkeypatch.setattr(damage, "LOGITS", 1)  # one row at a time
    assert together == pytest.approx(alone, rel=1e-5)
    assert neutral_perplexity(tiny, variants, 100) == pytest.approx(alone, rel=1e-5)
    assert alone[3] > alone[2] > alone[0]


def test_kl_is_that_of_the_untouched_model_from_the_edited_one(tiny):
    p, q = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.25, 0.25, 0.5])
    assert float(kl_of(p.log(), q.log())) == pytest.approx(0.5 * math.log(2) - 0.25 * math.log(2))
    runs = untouched_runs(tiny, ["hello there", "a longer text"], 3)
    direction = made(tiny)
    kl = divergence(tiny, [{}, {direction.hook_name: Addition(20 * direction.vector)}], runs).kl
    assert kl[0].abs().max() < 1e-6 and kl[1].min() > 1e-3


def test_repetition_counts_trigrams_that_were_there():
    assert repetition(["a b c a b c", "x y"]) == pytest.approx(1 / 4)
    assert repetition(["one two"]) == 0

"""What we read is what the plain transformers model computes, however the texts are padded."""

from dataclasses import replace
from itertools import chain, combinations, pairwise

import numpy as np
import pytest
import torch
from architectures import write_checkpoint
from hf_reference import levels, relative_error, sites

from latentmech.model import SITES, Local, Model, batches_under, length_sorted, levels_of, pad, reading, tokenise

BAR = 1e-5
TEXTS = [
    "A cat sat.",
    "I",
    "Berlin lies east of Paris, doesn't it?",
    "naïve café ☕ 東京",
    "1 2 3",
    "Who? Nobody — so far",
]


@pytest.fixture(scope="module", params=["gpt2", "llama", "gemma3"])
def model(request, tmp_path_factory) -> Model:
    folder = write_checkpoint(tmp_path_factory.mktemp(request.param), request.param)
    return Model(name=request.param, source=Local(path=str(folder)))


def read(model, ids, hook_names, batch_size, side) -> list[torch.Tensor]:
    """Per text `[level, pos, d_model]`, from batches of `batch_size` padded on `side`."""
    outputs = []
    for begin in range(0, len(ids), batch_size):
        rows, kept = ids[begin : begin + batch_size], {}
        batch = pad(rows, model.tokenizer.pad_token_id or 0, side, model.torch_device)
        with reading(model, {n: lambda t, n=n: kept.update({n: t.clone()}) for n in hook_names}) as run:
            run(batch)
        real = [torch.stack([kept[n][i] for n in hook_names])[:, batch.mask[i].bool()] for i in range(len(rows))]
        outputs += [t.cpu() for t in real]
    return outputs


def largest_error(model, texts, batch_size, side, prepend_bos) -> float:
    ids = tokenise(replace(model, prepend_bos=prepend_bos), texts, [str(i) for i in range(len(texts))]).ids
    hook_names = [level.hook_name for level in levels_of(model.n_layers)]
    found = read(model, ids, hook_names, batch_size, side)
    expected = levels(model.checkpoint.folder, tuple(tuple(row.tolist()) for row in ids))
    assert found[0].shape == (model.n_layers + 1, len(ids[0]), model.d_model)
    return max(relative_error(f, e) for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("prepend_bos", [True, False], ids=["bos", "no bos"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_every_level_equals_the_plain_forward(model, batch_size, side, prepend_bos):
    texts = [text[i:] for i in range(3) for text in TEXTS if text[i:]][:16]
    assert largest_error(model, texts[: 4 * batch_size], batch_size, side, prepend_bos) < BAR


@pytest.mark.real
@pytest.mark.parametrize("prepend_bos", [True, False], ids=["bos", "no bos"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_every_level_of_the_default_model_equals_the_plain_forward(
    real_model, examples, batch_size, side, prepend_bos, record_property, monkeypatch
):
    """In the same products: in oneDNN's, which `verify` looks at, the last bits are others, and deep levels show it."""
    monkeypatch.setattr("latentmech.model.products.onednn_is_quicker", lambda: False)
    error = largest_error(real_model, examples.texts[:16], batch_size, side, prepend_bos)
    record_property("largest_relative_error", error)
    print(f"largest relative error, batch {batch_size}, {side}, bos {prepend_bos}: {error:.1e}")
    assert error < BAR


def test_every_level_of_the_tiny_model_equals_the_plain_forward(tiny):
    assert largest_error(tiny, TEXTS, 16, "left", True) < BAR


@pytest.mark.parametrize("site", SITES)
def test_every_site_is_what_a_hook_on_transformers_own_module_sees(tiny, site):
    ids = tokenise(tiny, [TEXTS[2]], ["0"]).ids
    hook_names = [level.hook_name for level in levels_of(tiny.n_layers, site)][1:]
    expected = sites(tiny.checkpoint.folder, ids[0], "gpt2")[site]
    assert relative_error(read(tiny, ids, hook_names, 1, "right")[0], expected) < BAR


def test_the_sites_are_five_different_places(tiny):
    seen = sites(tiny.checkpoint.folder, tokenise(tiny, [TEXTS[2]], ["0"]).ids[0], "gpt2")
    assert set(seen) == set(SITES)
    assert all(relative_error(seen[a], seen[b]) > 1e-3 for a in seen for b in seen if a != b)


def test_the_same_token_elsewhere_in_the_text_is_another_vector(model):
    """The comparison would notice wrong positions or a missing mask."""
    ids = tokenise(model, ["abcabc", "xabcab"], ["0", "1"]).ids
    found = read(model, ids, ["blocks.2.hook_resid_post"], 2, "left")
    assert relative_error(found[0][:, 1:4], found[0][:, 4:7]) > 100 * BAR


def test_no_hook_stays_behind_also_when_a_reader_fails(tiny):
    batch = pad(tokenise(tiny, ["abc"], ["0"]).ids, 2, "right", tiny.torch_device)

    def fail(tensor):
        raise ZeroDivisionError

    with reading(tiny, {"blocks.1.hook_resid_post": lambda t: None}) as run:
        run(batch)
    with pytest.raises(ZeroDivisionError), reading(tiny, {"blocks.1.hook_resid_post": fail}) as run:
        run(batch)
    assert not any(point.has_hooks() for point in tiny.bridge.hook_dict.values())


def test_booting_leaves_the_tokenizer_as_it_was(tiny):
    fresh = replace(tiny)
    before = tokenise(fresh, TEXTS, TEXTS)
    assert fresh.bridge.cfg.n_layers == 3
    after = tokenise(fresh, TEXTS, TEXTS)
    assert [row.tolist() for row in before.ids] == [row.tolist() for row in after.ids]


def test_weights_want_no_gradients(tiny):
    assert not any(weight.requires_grad for weight in tiny.bridge.parameters())
    assert not tiny.bridge.training


def test_batches_are_cut_from_long_to_short_and_never_exceed_the_budget(examples, tiny):
    lengths = tokenise(tiny, examples.texts, examples.ids).lengths
    order = length_sorted(lengths)
    assert sorted(order) == list(range(len(lengths)))
    assert (lengths[order][:-1] >= lengths[order][1:]).all()
    for budget in (1, int(lengths.min()), 256, 10**6):
        batches = batches_under(order, lengths, budget)
        assert sum(batches, []) == order
        assert all(len(b) == 1 or len(b) * lengths[b].max() <= budget for b in batches)
    assert len(batches_under(order, lengths, 10**6)) == 1
    assert batches_under([], lengths, 8) == []


def test_no_other_cut_is_cheaper():
    lengths, budget = np.array([30, 29, 12, 11, 11, 4, 4, 1]), 96
    prices = {}
    for cuts in chain.from_iterable(combinations(range(1, 8), n) for n in range(8)):
        batches = [list(range(a, b)) for a, b in pairwise((0, *cuts, 8))]
        widths = [len(b) * lengths[b].max() for b in batches]
        if max(widths) <= budget:
            prices[str(batches)] = sum(widths) + len(batches) * budget / 24
    assert prices[str(batches_under(range(8), lengths, budget))] == min(prices.values())
    assert min(prices.values()) < prices["[[0, 1], [2, 3, 4, 5, 6, 7]]"], "fuller batches cost more"

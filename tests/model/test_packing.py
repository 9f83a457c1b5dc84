"""Variants run side by side give what each gives alone, and what lies below their edits is run once for all."""

import pytest
import torch
from architectures import CONFIGS, SPECIAL, write_checkpoint
from by_hand import batch_of, turned, vector
from transformers import GPTNeoConfig

from latentmech.errors import BadInput, ResourceError
from latentmech.model import Local, Model, Scope, intervening, packed_generate, packed_logits

N = 5
# Its blocks return tuples, the others' a tensor.
NEO = {"attention_types": [[["global", "local"], 2]], "window_size": 8, "max_position_embeddings": 256}


@pytest.fixture(scope="module", params=["gpt2", "llama", "gemma3", "gpt_neo"])
def model(request, tmp_path_factory) -> Model:
    with pytest.MonkeyPatch.context() as patch:
        sizes = {"hidden_size": 32, "num_layers": 4, "num_heads": 4, "vocab_size": 259}
        patch.setitem(CONFIGS, "gpt_neo", lambda: GPTNeoConfig(**sizes, **NEO, **SPECIAL))
        folder = write_checkpoint(tmp_path_factory.mktemp(request.param), request.param)
    return Model(name=request.param, source=Local(path=str(folder)))


def variants_at(model, name):
    v = vector(model)
    return [{}, {name: turned}, {name: lambda resid: resid + v}, {name: turned, "blocks.2.hook_mlp_out": turned}]


def one_by_one(model, variants, batch, scope, verb):
    for variant in variants:
        with intervening(model, variant, scope) as run:
            yield verb(run, batch)


PLACES = ["blocks.1.hook_resid_post", "blocks.1.hook_resid_pre", "blocks.2.hook_attn_out", "blocks.0.hook_resid_pre"]


@pytest.mark.parametrize(("name", "side"), zip(PLACES, ["left", "right"] * 2, strict=True))
def test_packed_variants_generate_what_each_generates(model, name, side):
    variants, batch, scope = variants_at(model, name), batch_of(model, side=side), Scope(first=1)
    found = packed_generate(model, variants, batch, N, scope=scope)
    expected = list(one_by_one(model, variants, batch, scope, lambda run, b: run.generate(b, N)))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.ids, other.ids)
        assert torch.equal(one.lengths, other.lengths)
        torch.testing.assert_close(one.first_logits, other.first_logits, rtol=1e-5, atol=1e-5)
    assert len({str(one.ids.tolist()) for one in found}) == len(variants)


@pytest.mark.parametrize("name", [*PLACES, "blocks.2.hook_resid_post"])
def test_packed_variants_have_the_logits_that_each_has(model, name):
    """Also where continuations are given, and the edit reaches those only."""
    variants, batch, scope = variants_at(model, name), batch_of(model), Scope(prompt=False)
    keep, n_prompt = torch.tensor([[20, 3], [1, 0], [5, 9], [4, 4]]), torch.tensor([5, 1, 4, 3])
    found = packed_logits(model, variants, batch, keep, n_prompt=n_prompt, scope=scope)
    expected = one_by_one(model, variants, batch, scope, lambda run, b: run.logits(b, keep, n_prompt))
    torch.testing.assert_close(found, torch.stack(list(expected)), rtol=1e-5, atol=1e-5)
    assert (found[1] - found[0]).abs().amax((-1, -2))[[0, 1, 2, 3]].min() > 1e-2


def test_the_next_token_alone_can_be_had(model):
    variants, batch = variants_at(model, PLACES[0]), batch_of(model, side="left")
    found = packed_logits(model, variants, batch)
    expected = one_by_one(model, variants, batch, Scope(), lambda run, b: run.logits(b))
    torch.testing.assert_close(found, torch.stack(list(expected)), rtol=1e-5, atol=1e-5)


def test_folded_weights_are_packed_too(tmp_path):
    folded = Model(name="folded", source=Local(path=str(write_checkpoint(tmp_path, "gpt2"))), compatibility_mode=True)
    variants, batch = variants_at(folded, PLACES[0]), batch_of(folded)
    expected = one_by_one(folded, variants, batch, Scope(), lambda run, b: run.generate(b, N).ids)
    for one, ids in zip(packed_generate(folded, variants, batch, N), expected, strict=True):
        assert torch.equal(one.ids, ids)


def rows_seen(model, block, run) -> list[tuple[int, int]]:
    """Rows and columns of every run of a block."""
    seen = []
    hook = (f"blocks.{block}.hook_in", lambda resid, hook: seen.append(tuple(resid.shape[:2])))
    with model.bridge.hooks(fwd_hooks=[hook]):
        run()
    return seen


def test_what_lies_below_is_run_once(model):
    variants, batch = variants_at(model, "blocks.1.hook_resid_post"), batch_of(model)

    def prefill():
        packed_generate(model, variants, batch, 2, stop=())

    assert [rows_seen(model, block, prefill) for block in range(3)] == [[(4, 22), (16, 1)]] * 2 + [[(16, 22), (16, 1)]]
    assert rows_seen(model, 0, lambda: packed_logits(model, [{}, {}], batch)) == [(4, 22)]


OPENING = "A cat sat on the mat. "
ALIKE = [OPENING + end for end in ("Who? Nobody did, says Berlin", "I", "It lies", "Who?")]


@pytest.mark.parametrize(("name", "side"), zip(PLACES, ["left", "right"] * 2, strict=True))
def test_what_all_texts_begin_with_is_run_once_for_each_variant(model, name, side):
    """Except where a layer keeps a window only."""
    variants, batch, scope = variants_at(model, name), batch_of(model, ALIKE, side), Scope(first=1)
    keep = torch.tensor([[40, 23], [23, 23], [25, 24], [23, 26]])
    expected = list(one_by_one(model, variants, batch, scope, lambda run, b: run.generate(b, N)))
    for one, other in zip(packed_generate(model, variants, batch, N, scope=scope), expected, strict=True):
        assert torch.equal(one.ids, other.ids)
        torch.testing.assert_close(one.first_logits, other.first_logits, rtol=1e-5, atol=1e-5)
    expected = list(one_by_one(model, variants, batch, scope, lambda run, b: run.logits(b, keep)))
    found = packed_logits(model, variants, batch, keep, scope=scope)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-5, atol=1e-5)
    seen = rows_seen(model, 2, lambda: packed_logits(model, variants, batch, keep, scope=scope))
    width, alike = batch.ids.shape[1], 1 + len(OPENING)  # a token a letter, and that of the beginning
    assert seen == ([(16, width)] if model.name == "gemma3" else [(4, alike), (16, width - alike)])


def test_prompts_end_what_texts_have_alike(model):
    """Behind a prompt an edit may reach other tokens, and logits may be asked for."""
    variants, batch = variants_at(model, PLACES[0]), batch_of(model, ALIKE, "left")
    n_prompt, keep = torch.tensor([15, 12, 20, 13]), torch.tensor([[40], [14], [25], [23]])
    for scope in (Scope(prompt=False), Scope(generated=False)):
        found = packed_logits(model, variants, batch, keep, n_prompt=n_prompt, scope=scope)
        expected = one_by_one(model, variants, batch, scope, lambda run, b: run.logits(b, keep, n_prompt))
        torch.testing.assert_close(found, torch.stack(list(expected)), rtol=1e-5, atol=1e-5)


def test_every_edit_is_called_once_a_step_with_its_own_rows(tiny):
    calls = []
    variants = [
        {"blocks.1.hook_resid_post": lambda resid, i=i: calls.append((i, *resid.shape[:2])) or resid + i}
        for i in range(2)
    ]
    packed_generate(tiny, variants, batch_of(tiny), 2, stop=())
    assert calls == [(0, 4, 22), (1, 4, 22), (0, 4, 1), (1, 4, 1)]


def test_blocks_that_cannot_be_shared_are_run_for_every_row(model, monkeypatch):
    kind = type(model.bridge.blocks[0])
    monkeypatch.setattr(kind, "hook_out_is_single_residual_stream", False)
    variants, batch = variants_at(model, PLACES[0]), batch_of(model)
    expected = one_by_one(model, variants, batch, Scope(), lambda run, b: run.generate(b, N).ids)
    for one, ids in zip(packed_generate(model, variants, batch, N), expected, strict=True):
        assert torch.equal(one.ids, ids)
    assert rows_seen(model, 0, lambda: packed_logits(model, variants, batch)) == [(16, 22)]


def failing_above(model, n_rows, error):
    """A block that can take so many rows."""

    def hook(resid, hook):
        if len(resid) > n_rows:
            raise error

    return model.bridge.hooks(fwd_hooks=[("blocks.2.hook_in", hook)])


@pytest.mark.parametrize("n_rows", [1, 3])
def test_what_does_not_fit_into_memory_is_run_in_halves(model, n_rows):
    variants, batch, keep = variants_at(model, PLACES[0]), batch_of(model), torch.arange(4)[:, None].clamp(max=1)
    tokens, logits = packed_generate(model, variants, batch, N), packed_logits(model, variants, batch, keep)
    with failing_above(model, n_rows, torch.OutOfMemoryError()):
        for one, other in zip(packed_generate(model, variants, batch, N), tokens, strict=True):
            assert torch.equal(one.ids, other.ids)
            torch.testing.assert_close(one.first_logits, other.first_logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(packed_logits(model, variants, batch, keep), logits, rtol=1e-5, atol=1e-5)


def test_one_text_that_does_not_fit_is_an_error(tiny):
    with failing_above(tiny, 0, MemoryError()), pytest.raises(ResourceError, match="one text does not fit"):
        packed_logits(tiny, [{}, {PLACES[0]: turned}], batch_of(tiny))


def test_other_failures_are_not_tried_again(tiny):
    with failing_above(tiny, 8, RuntimeError("shapes")), pytest.raises(RuntimeError, match="shapes"):
        packed_logits(tiny, [{PLACES[0]: turned}] * 3, batch_of(tiny))


def test_the_model_is_given_back(model):
    def fails(resid):
        raise ZeroDivisionError

    hf = model.bridge.original_model
    before = dict(hf.named_modules())
    for verb, last in ((packed_generate, N), (packed_logits, 1)):
        with pytest.raises(ZeroDivisionError):
            verb(model, [{}, {PLACES[0]: fails}], batch_of(model), last)
        assert dict(hf.named_modules()) == before
        assert not any(module._forward_hooks for module in hf.modules() if type(module).__name__ != "HookPoint")
        assert not any(point.has_hooks() for point in model.bridge.hook_dict.values())


def test_variants_without_sense_are_refused(tiny):
    batch = batch_of(tiny)
    with pytest.raises(BadInput, match="no variants"):
        packed_logits(tiny, [], batch)
    with pytest.raises(BadInput, match=r"blocks.9.hook_out cannot be edited"):
        packed_logits(tiny, [{}, {"blocks.9.hook_out": turned}], batch)
    with pytest.raises(BadInput, match="are one place"):
        packed_logits(tiny, [{PLACES[0]: turned}, {"blocks.1.hook_out": turned}], batch)


@pytest.mark.real
def test_the_default_model_packed_generates_what_it_generates(real_model):
    variants, batch = variants_at(real_model, "blocks.12.hook_resid_post")[:3], batch_of(real_model)
    found = packed_generate(real_model, variants, batch, 8)
    expected = one_by_one(real_model, variants, batch, Scope(), lambda run, b: run.generate(b, 8).ids)
    assert all(torch.equal(one.ids, ids) for one, ids in zip(found, expected, strict=True))

"""Generated tokens and chosen logits are those of plain transformers, however the prompts are put together."""

from dataclasses import replace

import pytest
import torch
from architectures import write_checkpoint
from by_hand import TEXTS, batch_of, blocks, edited_logits, greedy, plain, turned

from latentmech.errors import BadInput
from latentmech.model import Local, Model, Scope, end_ids, intervening, tokenise

POST = "blocks.1.hook_resid_post"
N = 12  # with a prompt of 22 bytes, beyond the sliding window of 8


@pytest.fixture(scope="module", params=["gpt2", "llama", "gemma3"])
def model(request, tmp_path_factory) -> Model:
    folder = write_checkpoint(tmp_path_factory.mktemp(request.param), request.param)
    return Model(name=request.param, source=Local(path=str(folder)))


def generated(model, batch, edit=None, n_tokens=N, scope=Scope(), **settings):  # noqa: B008
    edits = {} if edit is None else {POST: edit}
    with intervening(model, edits, scope) as run:
        return run.generate(batch, n_tokens, **settings)


def by_transformers(model, edit=None, eos=None, n_tokens=N) -> torch.Tensor:
    hf, batch = plain(model.checkpoint.folder), batch_of(model, side="left")
    handle = blocks(hf)[1].register_forward_hook(lambda m, args, out: out if edit is None else edit(out))
    with handle:
        ids = hf.generate(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            do_sample=False,
            max_new_tokens=n_tokens,
            eos_token_id=eos,
            pad_token_id=2,
        )
    return ids[:, batch.ids.shape[1] :]


@pytest.mark.parametrize("edited", [False, True], ids=["clean", "edited"])
def test_tokens_are_those_of_transformers_generate(model, edited):
    edit = turned if edited else None
    found = generated(model, batch_of(model), edit, stop=())
    assert found.ids.tolist() == by_transformers(model, edit).tolist()
    assert found.lengths.tolist() == [N] * len(TEXTS)
    assert len(found.ids.unique()) > 4, "a model that repeats itself would agree with anything"


def test_an_edit_changes_what_is_generated(model):
    batch = batch_of(model)
    assert not torch.equal(generated(model, batch).ids, generated(model, batch, turned).ids)


@pytest.mark.parametrize("use_cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_cache_padding_and_company_make_no_difference(model, side, use_cache):
    found = generated(model, batch_of(model, side=side), turned, use_cache=use_cache, stop=())
    for text, ids, logits in zip(TEXTS, found.ids, found.first_logits, strict=True):
        alone = generated(model, batch_of(model, [text]), turned, stop=())
        assert torch.equal(alone.ids[0], ids)
        torch.testing.assert_close(alone.first_logits[0], logits, rtol=1e-5, atol=1e-5)


SCOPES = [{}, {"generated": False}, {"prompt": False}, {"first": 1}, {"first": 3, "last": 8}, {"last": 24}]


@pytest.mark.parametrize("use_cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_the_scope_is_what_it_says_while_tokens_are_generated(model, scope, use_cache):
    found = generated(model, batch_of(model), turned, 6, Scope(**scope), use_cache=use_cache, stop=())
    rows = tokenise(model, TEXTS, TEXTS).ids
    assert found.ids.tolist() == [greedy(model, row.tolist(), 6, turned, scope) for row in rows]


def test_the_scopes_are_told_apart(model):
    """What the comparison above rests on: each scope generates something of its own."""
    rows = [str(generated(model, batch_of(model), turned, 6, Scope(**s), stop=()).ids.tolist()) for s in SCOPES]
    assert len(set(rows)) == len(SCOPES)


def test_a_text_ends_where_a_stop_token_comes(model):
    free = generated(model, batch_of(model), stop=()).ids
    stop = [int(free[0, 3]), int(free[2, 5])]
    found = generated(model, batch_of(model), stop=stop)
    ends = [next((i + 1 for i, t in enumerate(row) if t in stop), N) for row in free.tolist()]
    assert found.lengths.tolist() == ends
    assert min(ends) < N
    for row, whole, end in zip(found.ids.tolist(), free.tolist(), ends, strict=True):
        assert row == whole[:end] + [2] * (N - end)
    theirs = by_transformers(model, eos=stop)
    assert torch.equal(found.ids[:, : theirs.shape[1]], theirs)


def test_no_step_is_run_after_every_text_has_ended(tiny):
    free, steps = generated(tiny, batch_of(tiny), stop=()).ids, []
    with intervening(tiny, {POST: lambda resid: steps.append(tuple(resid.shape)) or resid + 0}) as run:
        run.generate(batch_of(tiny), N, stop=free[:, 0].tolist() + free[:, 1].tolist())
    assert 1 <= len(steps) <= 2
    assert all(shape[1] == 1 for shape in steps[1:])


def test_every_step_runs_one_column(tiny):
    steps = []
    with intervening(tiny, {POST: lambda resid: steps.append(tuple(resid.shape)) or resid + 0}) as run:
        run.generate(batch_of(tiny), N, stop=())
    assert steps == [(4, 22, tiny.d_model)] + [(4, 1, tiny.d_model)] * (N - 1)


@pytest.mark.parametrize(("scope", "calls"), [({"generated": False}, 1), ({"prompt": False}, N - 1), ({"last": 3}, 2)])
def test_no_edit_is_called_where_it_reaches_nothing(tiny, scope, calls):
    """The shortest prompt has two tokens, so that one token after it is in a window of three."""
    steps = []
    with intervening(tiny, {POST: lambda resid: steps.append(1) or resid + 0}, Scope(**scope)) as run:
        run.generate(batch_of(tiny), N, stop=())
    assert len(steps) == calls


def test_the_ends_are_those_the_model_names(model, monkeypatch):
    assert end_ids(model) == (1,)
    free = generated(model, batch_of(model), stop=()).ids
    monkeypatch.setitem(model.__dict__, "generation_ends", [1, int(free[0, 2])])
    assert end_ids(model) == tuple(sorted({1, int(free[0, 2])}))
    assert generated(model, batch_of(model)).lengths[0] <= 3


@pytest.mark.real
def test_the_default_model_ends_a_turn_and_a_text(real_model):
    names = ["<|im_end|>", "<|endoftext|>"]
    assert set(real_model.tokenizer.convert_tokens_to_ids(names)) <= set(end_ids(real_model))


@pytest.mark.real
def test_the_default_model_generates_what_transformers_generates(real_model):
    found = generated(real_model, batch_of(real_model), turned, 8, stop=())
    assert found.ids.tolist() == by_transformers(real_model, turned, n_tokens=8).tolist()


@pytest.mark.parametrize("side", ["left", "right"])
def test_logits_are_kept_at_the_last_tokens_of_every_text(model, side):
    texts = [text for text in TEXTS if len(text) > 3]
    with intervening(model, {}) as run:
        found = run.logits(batch_of(model, texts, side), 3)
    rows = tokenise(model, texts, texts).ids
    expected = torch.stack([edited_logits(model, row, lambda out: out)[-3:] for row in rows])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_logits_are_kept_at_positions_of_each_text(model, side):
    keep = torch.tensor([[0, 5], [1, 0], [2, 2], [11, 3]])
    with intervening(model, {}) as run:
        found = run.logits(batch_of(model, side=side), keep)
    rows = tokenise(model, TEXTS, TEXTS).ids
    expected = [edited_logits(model, row, lambda out: out)[at] for row, at in zip(rows, keep, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-5, atol=1e-5)


def test_the_head_runs_on_what_is_kept(tiny):
    seen = []
    head = tiny.bridge.original_model.get_output_embeddings()
    handle = head.register_forward_hook(lambda m, args, out: seen.append(tuple(out.shape[:2])))
    with handle, intervening(tiny, {}) as run:
        run.logits(batch_of(tiny), 2)
        run.generate(batch_of(tiny), 2, stop=())
    assert seen == [(4, 2), (4, 1), (4, 1)]


def test_a_bias_of_zeros_is_not_added(tiny):
    head = tiny.bridge.original_model.get_output_embeddings().original_component
    given, before = [], head.bias
    handle = head.register_forward_pre_hook(lambda module, args: given.append(module.bias))
    assert before is not None and not before.any()
    with handle, intervening(tiny, {}) as run:
        run.logits(batch_of(tiny))
    assert given == [None] and head.bias is before


@pytest.mark.parametrize("keep", [3, torch.tensor([[0], [2], [0], [0]]), torch.tensor([[-1], [0], [0], [0]])], ids=str)
def test_a_token_outside_a_text_is_refused(tiny, keep):
    with pytest.raises(BadInput, match="outside a text; the shortest has 2"), intervening(tiny, {}) as run:
        run.logits(batch_of(tiny), keep)


def test_more_than_the_context_holds_is_refused(tiny):
    with intervening(tiny, {}) as run:
        for n_tokens in (tiny.n_ctx - 21, 0):
            with pytest.raises(BadInput, match=f"{n_tokens} new tokens .* at most {tiny.n_ctx}"):
                run.generate(batch_of(tiny), n_tokens)
        assert run.generate(batch_of(tiny), 3, stop=()).ids.shape == (4, 3)


def test_half_precision_stays_half(tiny):
    half = replace(tiny, dtype="bfloat16")
    found = generated(half, batch_of(half), turned, 3)
    assert found.first_logits.dtype == torch.bfloat16

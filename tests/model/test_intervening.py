"""An edit reaches the tokens it is meant for and no others, and the model is given back as it was."""

from dataclasses import replace

import pytest
import torch
from architectures import write_checkpoint
from by_hand import TEXTS, batch_of, blocks, edited_inside, edited_logits, plain, vector

from latentmech.errors import BadInput
from latentmech.model import Local, Model, Scope, intervening, tokenise

POST = "blocks.1.hook_resid_post"


@pytest.fixture(scope="module", params=["gpt2", "llama", "gemma3"])
def model(request, tmp_path_factory) -> Model:
    folder = write_checkpoint(tmp_path_factory.mktemp(request.param), request.param)
    return Model(name=request.param, source=Local(path=str(folder)))


def adding(model):
    v = vector(model)
    return lambda resid: resid + v


def last_logits(model, edits, batch, **scope) -> torch.Tensor:
    with intervening(model, edits, Scope(**scope)) as run:
        return run.logits(batch)[:, 0]


def test_an_edit_is_a_hook_on_transformers_own_block(model):
    ids, edit = tokenise(model, TEXTS, TEXTS).ids, adding(model)
    found = last_logits(model, {POST: edit}, batch_of(model))
    expected = torch.stack([edited_logits(model, row, edit)[-1] for row in ids])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert (found - last_logits(model, {}, batch_of(model))).abs().max() > 0.1
    assert found.is_inference()


# Where transformers keeps what is written to the residual stream: (attention's part, the MLP's part)
WRITERS = {
    "gpt2": ("attn", "mlp"),
    "llama": ("self_attn", "mlp"),
    "gemma3": ("post_attention_layernorm", "post_feedforward_layernorm"),
}


@pytest.mark.parametrize("part", ["resid_pre", "in", "attn_out", "mlp_out", "resid_post", "out"])
def test_every_place_is_where_it_is_said_to_be(model, part):
    v, ids = vector(model), tokenise(model, TEXTS[:1], ["0"]).ids[0]
    hf = plain(model.checkpoint.folder)
    block, (attention, mlp) = blocks(hf)[1], WRITERS[model.name]
    module = {"attn_out": getattr(block, attention), "mlp_out": getattr(block, mlp)}.get(part, block)
    if part in ("resid_pre", "in"):
        handle = module.register_forward_pre_hook(lambda m, args: (args[0] + v, *args[1:]))
    else:
        handle = module.register_forward_hook(lambda m, args, out: with_added(out, v))
    with handle, torch.no_grad():
        expected = hf(torch.as_tensor(ids)[None]).logits[:, -1]
    found = last_logits(model, {f"blocks.1.hook_{part}": adding(model)}, batch_of(model, TEXTS[:1]))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def with_added(out, v):
    return (out[0] + v, *out[1:]) if isinstance(out, tuple) else out + v


def test_strength_nought_changes_no_bit(model):
    v, batch = vector(model), batch_of(model)
    clean = last_logits(model, {}, batch)
    assert torch.equal(last_logits(model, {POST: lambda resid: resid + 0 * v}, batch), clean)
    assert not torch.equal(last_logits(model, {POST: lambda resid: resid + 1e-3 * v}, batch), clean)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_batch_is_its_texts_one_by_one(model, side):
    edits = {POST: adding(model), "blocks.2.hook_attn_out": lambda resid: 0.5 * resid}
    found = last_logits(model, edits, batch_of(model, side=side))
    alone = torch.cat([last_logits(model, edits, batch_of(model, [text])) for text in TEXTS])
    torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-5)


SCOPES = [
    {},
    {"generated": False},
    {"prompt": False},
    {"first": 1},
    {"last": 3},
    {"first": 2, "last": 5},
    {"prompt": False, "first": 4, "last": 7},
]


@pytest.mark.parametrize("scope", SCOPES, ids=str)
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_scope_is_what_it_says(model, scope, side):
    """Against one text at a time, where Python counts the tokens."""
    ids, n_prompt = tokenise(model, TEXTS, TEXTS).ids, torch.tensor([5, 1, 4, 3])
    with intervening(model, {POST: adding(model)}, Scope(**scope)) as run:
        found = run.logits(batch_of(model, side=side), n_prompt=n_prompt)[:, 0]
    for row, length, logits in zip(ids, n_prompt.tolist(), found, strict=True):
        change = edited_inside(adding(model), len(row), length, scope)
        torch.testing.assert_close(logits, edited_logits(model, row, change)[-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_never_edited(tiny, side):
    batch, seen = batch_of(tiny, side=side), []
    last_logits(tiny, {}, batch)  # the forwards of a first use are not those that are looked at
    with tiny.bridge.hooks(fwd_hooks=[("blocks.2.hook_in", lambda resid, hook: seen.append(resid.clone()))]):
        for edits in ({}, {POST: lambda resid: resid + 7}):
            last_logits(tiny, edits, batch)
    clean, edited = seen
    padding = ~batch.mask.bool()
    assert padding.any()
    assert torch.equal(edited[padding], clean[padding])
    torch.testing.assert_close(edited[~padding], clean[~padding] + 7)


def test_where_no_token_is_active_the_edit_is_not_called(tiny):
    def fail(resid):
        raise ZeroDivisionError

    batch = batch_of(tiny)
    clean = last_logits(tiny, {}, batch)
    assert torch.equal(last_logits(tiny, {POST: fail}, batch, prompt=False), clean)
    assert torch.equal(last_logits(tiny, {POST: fail}, batch, first=100), clean)
    with pytest.raises(ZeroDivisionError):
        last_logits(tiny, {POST: fail}, batch)


def fails(resid):
    raise ZeroDivisionError


@pytest.mark.parametrize("where", ["inside the context", "inside the edit"])
def test_the_model_is_given_back(model, where):
    hf = model.bridge.original_model
    batch, before, clean = batch_of(model), dict(hf.named_modules()), last_logits(model, {}, batch_of(model))
    with pytest.raises(ZeroDivisionError), intervening(model, {POST: fails}) as run:
        (run.logits if where == "inside the edit" else fails)(batch)
    assert dict(hf.named_modules()) == before
    assert not any(point.has_hooks() for point in model.bridge.hook_dict.values())
    assert not any(module._forward_hooks for module in hf.modules() if type(module).__name__ != "HookPoint")
    assert torch.equal(last_logits(model, {}, batch), clean)
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("where", ["resid_post", "attn_out"])
def test_folded_weights_are_edited_once(tmp_path, where):
    folder = write_checkpoint(tmp_path, "gpt2")
    folded = Model(name="folded", source=Local(path=str(folder)), compatibility_mode=True)
    calls = []
    last_logits(folded, {f"blocks.1.hook_{where}": lambda resid: calls.append(1) or resid + 1}, batch_of(folded))
    assert len(calls) == 1


@pytest.mark.parametrize(
    "names",
    [
        (POST, "blocks.1.hook_out"),
        (POST, "blocks.2.hook_resid_pre"),
        ("blocks.0.hook_in", "blocks.0.hook_resid_pre"),
        ("blocks.2.hook_in", "blocks.1.hook_out"),
    ],
)
def test_one_place_under_two_names_is_refused(tiny, names):
    with pytest.raises(BadInput, match=rf"{names[0]} and {names[1]} are one place"):
        last_logits(tiny, dict.fromkeys(names, lambda resid: resid + 1), batch_of(tiny))


def test_places_side_by_side_are_not_one(tiny):
    names = ("blocks.1.hook_resid_pre", POST, "blocks.1.hook_attn_out", "blocks.1.hook_mlp_out")
    last_logits(tiny, dict.fromkeys(names, lambda resid: resid + 1), batch_of(tiny))


@pytest.mark.parametrize(
    "name", ["blocks.3.hook_resid_post", "blocks.1.hook_resid_mid", "blocks.1.attn.hook_q", "blocks.x.hook_out", "oops"]
)
def test_an_unknown_place_is_refused_before_weights_are_loaded(tiny, name):
    fresh = replace(tiny)
    with pytest.raises(BadInput, match=rf"{name} cannot be edited; .* 0 to 2"), intervening(fresh, {name: fails}):
        pass
    assert "bridge" not in vars(fresh)


def test_a_place_that_this_kind_of_block_lacks_is_refused(tiny, monkeypatch):
    fresh = replace(tiny)
    points = {name: point for name, point in fresh.bridge.hook_dict.items() if name != "blocks.1.hook_mlp_out"}
    monkeypatch.setattr(type(fresh.bridge), "hook_dict", points)
    with pytest.raises(BadInput, match=r"has no blocks.1.hook_mlp_out"):
        last_logits(fresh, {"blocks.1.hook_mlp_out": fails}, batch_of(fresh))


@pytest.mark.parametrize(
    "edit", [lambda resid: resid.double(), lambda resid: resid[:, :1], lambda resid: resid.mean(-1)]
)
def test_another_shape_or_dtype_is_refused(tiny, edit):
    with pytest.raises(BadInput, match=rf"the edit at {POST} returned .* in torch.float"):
        last_logits(tiny, {POST: edit}, batch_of(tiny))


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({"prompt": False, "generated": False}, "edits nothing"),
        ({"first": -1}, "first=-1"),
        ({"first": 3, "last": 3}, "last=3"),
    ],
)
def test_a_scope_without_sense_is_refused(settings, seen):
    with pytest.raises(BadInput, match=seen):
        Scope(**settings)

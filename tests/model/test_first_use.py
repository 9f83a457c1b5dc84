"""A model is checked once before its first result; what it cannot do is gone round or refused."""

import importlib.metadata
import json
from dataclasses import replace

import pytest
import torch
from architectures import write_checkpoint
from by_hand import batch_of, plain, vector

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput
from latentmech.model import (
    Check,
    Local,
    Model,
    Scope,
    fold_addition,
    intervening,
    levels_of,
    packed_generate,
    packed_logits,
    read_out,
    reading,
    refuse_without,
    tokenise,
    trusted,
)
from latentmech.model.parity import record
from latentmech.model.road import Road

TEXTS = ["A cat sat on the mat.", "I", "Berlin lies", "Who? Nobody"]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Models of an architecture, in a cache of the test's own."""
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    folders = {}

    def make(architecture, **settings):
        if architecture not in folders:
            folders[architecture] = write_checkpoint(tmp_path / architecture, architecture)
        return Model(name=architecture, source=Local(path=str(folders[architecture])), **settings)

    return make


def test_a_second_use_needs_neither_weights_nor_time(made, monkeypatch, capsys):
    assert trusted(made("llama")) == Road()
    assert "first use of llama" in capsys.readouterr().err
    monkeypatch.setattr(record, "checks_of", lambda *args: 1 / 0)
    second = made("llama")
    assert trusted(second) == Road() and "bridge" not in vars(second)
    assert capsys.readouterr().err == ""


def test_activations_on_disk_are_given_without_weights(made, examples):
    levels = levels_of(3)
    first = ActivationStore().get(made("llama"), examples, levels)
    again = made("llama")
    second = ActivationStore().get(again, examples, levels)
    assert torch.equal(first.level(levels[2].hook_name), second.level(levels[2].hook_name))
    assert "bridge" not in vars(again)
    record.record_path(again).unlink()
    unchecked = made("llama")
    ActivationStore().get(unchecked, examples, levels)
    assert "bridge" in vars(unchecked), "without a record nothing is handed out"


@pytest.mark.parametrize("setting", [{"dtype": "bfloat16"}, {"compatibility_mode": True}], ids=str)
def test_another_model_is_another_record(made, setting):
    assert record.record_path(made("gpt2", **setting)) != record.record_path(made("gpt2"))


def test_other_versions_are_another_record(made, monkeypatch):
    before, version = record.record_path(made("gpt2")), importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version(name) + ".1")
    assert record.record_path(made("gpt2")) != before


def test_a_twin_goes_by_the_record_of_the_trained_model(made):
    trusted(made("gpt2"))
    twin = made("gpt2", random_init=True)
    assert trusted(twin) == Road() and "bridge" not in vars(twin)


def test_a_damaged_record_is_made_again(made, capsys):
    trusted(made("gpt2"))
    path = record.record_path(made("gpt2"))
    sound = path.read_text()
    for damage in ("", "[]", json.dumps({"checks": [{"name": "x"}]})):
        path.write_text(damage)
        trusted(made("gpt2"))
        assert path.read_text() == sound


def test_a_model_that_is_not_itself_is_refused_and_not_recorded(made, monkeypatch):
    right = record.truth_of
    monkeypatch.setattr(record, "truth_of", lambda model: right(made("llama")))
    model = made("gpt2")
    with pytest.raises(BadInput, match=r"gpt2 does not compute here .*“states, one text” is off by .*e[+-]\d\d at"):
        trusted(model)
    assert not record.record_path(model).exists()
    with pytest.raises(BadInput), reading(model, {"blocks.0.hook_resid_pre": lambda t: None}):
        pass


def test_weights_that_are_folded_wrongly_are_refused(made, monkeypatch):
    from transformer_lens.model_bridge import TransformerBridge

    def wrong(bridge):
        head = bridge.original_model.get_output_embeddings().original_component
        head.weight.data = head.weight.roll(1, 0)

    assert trusted(made("gpt2", compatibility_mode=True)) == Road()
    record.record_path(made("gpt2", compatibility_mode=True)).unlink()
    monkeypatch.setattr(TransformerBridge, "enable_compatibility_mode", wrong)
    with pytest.raises(BadInput, match="gpt2 does not compute here what plain transformers computes: “logits"):
        trusted(made("gpt2", compatibility_mode=True))


def test_parallel_blocks_have_no_resid_mid(made, examples):
    model = made("neox")
    with pytest.raises(BadInput, match="blocks of neox run attention and MLP side by side and have no resid_mid; try"):
        ActivationStore().get(model, examples, levels_of(3, "resid_mid"))
    seen = []
    with reading(model, {"blocks.1.hook_attn_out": lambda t: seen.append(t.shape)}) as run:
        run(batch_of(model))
    assert len(seen) == 1


def test_a_block_that_never_fires_its_hook_is_refused(made):
    with pytest.raises(BadInput, match=r"blocks\.0\.hook_resid_post of openai never fires in a forward"):
        trusted(made("openai"))


def test_a_point_with_another_shape_is_refused(tiny):
    with (
        pytest.raises(BadInput, match=r"blocks.1.attn.hook_q of tiny has the shape \[2, 3, 2, 16\] where \[2, 3, 32\]"),
        reading(tiny, {"blocks.1.attn.hook_q": lambda t: None}),
    ):
        pass


def test_a_point_that_fires_twice_is_refused(tiny, monkeypatch):
    fresh = replace(tiny)
    backbone = fresh.bridge.original_model.base_model
    forward = backbone.forward
    trusted(fresh)
    backbone.forward = lambda *args, **given: (forward(*args, **given), forward(*args, **given))[1]
    with (
        pytest.raises(BadInput, match=r"blocks.1.hook_mlp_out of tiny fires 2 times in a forward .* cannot be edited"),
        intervening(fresh, {"blocks.1.hook_mlp_out": lambda resid: resid}),
    ):
        pass


def test_granite_is_heard_from_its_first_forward_on(made):
    """TransformerLens wires its scaled parts at the first forward that they are in."""
    model, seen = made("granite"), []
    with reading(model, {"blocks.1.hook_attn_out": lambda t: seen.append(t.clone())}) as run:
        run(batch_of(model))
    assert seen[0].abs().min() > 0
    clean, edited = packed_logits(model, [{}, {"blocks.1.hook_mlp_out": lambda r: r + 1}], batch_of(model))
    assert (clean - edited).abs().max() > 1e-2


def test_an_addition_in_granites_weights_is_as_long_as_by_hooks(made, tmp_path):
    model, v = made("granite"), vector(made("granite"))
    fold_addition(model, v, 1).save_pretrained(tmp_path / "folded")
    model.tokenizer.save_pretrained(tmp_path / "folded")
    folded = Model(name="folded", source=Local(path=str(tmp_path / "folded")))
    (wanted,) = packed_logits(model, [{"blocks.1.hook_resid_post": lambda resid: resid + v}], batch_of(model))
    (found,) = packed_logits(folded, [{}], batch_of(folded))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", ["right", "left"])
def test_opt_gives_the_logits_of_the_last_token(made, side):
    model = made("opt")
    (found,) = packed_logits(model, [{}], batch_of(model, side=side))
    for row, ids in zip(found, tokenise(model, TEXTS, TEXTS).ids, strict=True):
        with torch.no_grad():
            expected = plain(model.checkpoint.folder)(torch.from_numpy(ids)[None]).logits[0, -1]
        torch.testing.assert_close(row[0], expected, rtol=1e-4, atol=1e-4)


def test_a_head_that_runs_on_other_tokens_is_refused(tiny, monkeypatch):
    fresh = replace(tiny)
    with intervening(fresh, {}) as run:
        monkeypatch.setattr(run, "_narrow", lambda head, args: None)
        fresh.bridge.original_model.get_output_embeddings()._forward_pre_hooks.clear()
        with pytest.raises(BadInput, match="gives logits of"):
            run.logits(batch_of(fresh))


def continued(hf, ids, n_tokens) -> list[int]:
    """By plain transformers, the whole text run again for each token."""
    text = torch.from_numpy(ids)[None]
    for _ in range(n_tokens):
        with torch.no_grad():
            text = torch.cat([text, hf(text, use_cache=False).logits[:, -1:].argmax(-1)], 1)
    return text[0, len(ids) :].tolist()


def test_rwkv_is_padded_right_and_runs_the_whole_text(made):
    model = made("rwkv")
    assert trusted(model) == Road(left_padding=False, cache=False)
    assert len(list(trusted(model).notes("rwkv"))) == 2
    ids = tokenise(model, TEXTS, TEXTS).ids
    edits = [{}, {"blocks.1.hook_resid_post": lambda resid: resid.roll(1, -1)}]
    found = packed_logits(model, edits, batch_of(model, side="left"))
    texts = packed_generate(model, edits, batch_of(model, side="left"), 5, stop=())
    for i, row in enumerate(ids):
        with torch.no_grad():
            expected = plain(model.checkpoint.folder)(torch.from_numpy(row)[None]).logits[0, -1]
        torch.testing.assert_close(found[0, i, 0], expected, rtol=1e-4, atol=1e-4)
        assert texts[0].ids[i].tolist() == continued(plain(model.checkpoint.folder), row, 5)
    assert not torch.equal(texts[0].ids, texts[1].ids)
    with (
        pytest.raises(BadInput, match=r"rwkv reads padding on the left as text; set activations\.padding_side=right"),
        reading(model, {"blocks.0.hook_resid_pre": lambda t: None}) as run,
    ):
        run(batch_of(model, side="left"))


@pytest.mark.parametrize("scope", [{}, {"prompt": False}], ids=str)
def test_the_slow_road_leads_to_the_same_place(tiny, scope):
    """A model that could take the quick one gives the same on the slow one."""
    slow = replace(tiny)
    slow.seen.update(checks=(), road=Road(left_padding=False, cache=False))
    edits = [{}, {"blocks.1.hook_resid_post": lambda resid: resid.roll(1, -1)}]
    for model in (tiny, slow):
        batch = batch_of(model, side="left")
        model.seen["found"] = (
            packed_logits(model, edits, batch, n_prompt=torch.tensor([3, 1, 2, 2]), scope=Scope(**scope)),
            packed_generate(model, edits, batch, 6, stop=(), scope=Scope(**scope)),
        )
    (quick_logits, quick), (slow_logits, slowly) = tiny.seen["found"], slow.seen["found"]
    torch.testing.assert_close(slow_logits, quick_logits, rtol=1e-4, atol=1e-4)
    assert [one.ids.tolist() for one in slowly] == [one.ids.tolist() for one in quick]
    assert [one.lengths.tolist() for one in slowly] == [one.lengths.tolist() for one in quick]


def test_where_something_else_writes_ablation_is_refused(made):
    model = made("opt_proj")
    with pytest.raises(BadInput, match=r"ablation does not reach all of opt_proj: “attn_out and mlp_out are all"):
        refuse_without(model, "ablation", "ablation does not reach all of")
    refuse_without(made("llama"), "ablation", "ablation does not reach all of")


def test_a_head_behind_more_than_a_norm_is_not_read_through(made):
    model = made("opt_proj")
    with pytest.raises(BadInput, match=r"cannot be read through the head of opt_proj: .*project_out"):
        read_out(model, torch.zeros(1, model.d_model))


def test_an_architecture_that_transformerlens_cannot_run_is_one_line(made, monkeypatch):
    from transformer_lens.model_bridge import TransformerBridge

    def fails(*args, **kwargs):
        raise ValueError("no adapter\nand more")

    monkeypatch.setattr(TransformerBridge, "boot_transformers", fails)
    with pytest.raises(
        BadInput, match=r"TransformerLens .* cannot run gpt2 \(GPT2LMHeadModel\): ValueError, no adapter$"
    ):
        _ = made("gpt2").bridge


def test_buffers_that_nobody_has_written_are_not_numbers(tiny):
    from latentmech.model import Request, collect_into

    tokens = tokenise(tiny, TEXTS, TEXTS)
    rows = torch.tensor([[0, 0, 1]]).numpy()
    request = Request(model=tiny, tokens=tokens, rows=rows, hook_names=("blocks.0.hook_in",))
    buffer = torch.zeros(2, tiny.d_model)
    collect_into([buffer], request, [0])
    assert buffer[0].isfinite().all() and buffer[1].isnan().all()


def test_no_direction_is_chosen_by_an_ablation_that_leaves_something(tiny):
    from latentmech.steering import CausalSelection

    fresh = replace(tiny)
    left = Check(name="ablation leaves nothing behind", level="", size=0.1, tolerance=1e-4, need="ablation")
    fresh.seen.update(road=Road(), checks=(left,))
    with pytest.raises(
        BadInput, match=r"are not all that writes to the stream of tiny: “ablation leaves .* by 1.0e-01"
    ):
        CausalSelection(phrases=["I"])(fresh, [], [], [])

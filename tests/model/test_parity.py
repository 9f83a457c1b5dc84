"""Planted faults are found, and a sound model has none."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from architectures import write_checkpoint
from safetensors.torch import load_file, save_file

from latentmech.errors import IntegrityError
from latentmech.model import Local, Model, Truth, every_check, truth_of
from latentmech.model.parity import checks
from latentmech.model.scope import Aim

READ = "states, one text"


def model_in(folder, **settings) -> Model:
    return Model(name=folder.name, source=Local(path=str(folder)), **settings)


@pytest.fixture
def model(tmp_path) -> Model:
    """GPT-2: its positions are learned, so that a wrong one shows."""
    return model_in(write_checkpoint(tmp_path / "gpt2", "gpt2"))


@pytest.fixture
def truth(model) -> Truth:
    return truth_of(model)


def failed(model, truth) -> set[str]:
    return {check.name for check in every_check(model, truth) if not check.passed}


@pytest.mark.parametrize("settings", [{}, {"compatibility_mode": True}, {"dtype": "bfloat16"}], ids=str)
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gemma3", "gemma2", "granite"])
def test_a_sound_model_passes_every_check(architecture, settings, tmp_path):
    model = model_in(write_checkpoint(tmp_path / "model", architecture), **settings)
    found = every_check(model, truth_of(model))
    assert [check for check in found if not check.passed] == []
    assert len({check.name for check in found}) == len(found) > 14


def test_the_plain_model_is_run_without_padding_cache_or_hooks_of_ours(model, truth):
    from transformers import AutoModelForCausalLM

    hf = AutoModelForCausalLM.from_pretrained(model.checkpoint.folder, attn_implementation="eager").eval()
    ids = torch.from_numpy(truth.ids[2])[None]
    with torch.no_grad():
        expected = hf(ids, output_hidden_states=True)
    torch.testing.assert_close(truth.states[2][:-1], torch.cat(expected.hidden_states[:-1]))
    torch.testing.assert_close(truth.logits[2], expected.logits[0])
    assert truth.earlier < 1e-5
    assert "bridge" not in vars(model)


def given(model, **others):
    """The backbone is given other things than it was meant to be given."""
    backbone = model.bridge.original_model.base_model
    forward = backbone.forward

    def wrong(*args, **kwargs):
        changed = {name: change(kwargs[name]) for name, change in others.items() if kwargs.get(name) is not None}
        return forward(*args, **kwargs | changed)

    backbone.forward = wrong


def sizes(model, truth) -> dict[str, float]:
    return {check.name: check.size for check in every_check(model, truth)}


def test_a_dropped_attention_mask_is_found(model, truth):
    given(model, attention_mask=torch.ones_like)
    found = sizes(model, truth)
    assert found["states, padded left"] > 0.01 and found["logits, padded left"] > 0.01
    assert found[READ] < 1e-5


def test_left_padding_that_is_not_shifted_is_found(model, truth):
    given(model, position_ids=lambda at: torch.arange(at.shape[1])[None].expand_as(at))
    found = sizes(model, truth)
    assert found["states, padded left"] > 0.01 and found["logits, padded left"] > 0.01
    assert found[READ] < 1e-5


def reading_through(monkeypatch, name_of=lambda name: name, value_of=lambda value: value):
    """What is read is another place, or another value."""
    right = checks.hooked_reading

    @contextmanager
    def wrong(model, readers):
        moved = {name: (name_of(name), reader) for name, reader in readers.items()}
        both = {to: lambda t, r=reader: r(value_of(t)) for to, reader in moved.values()}
        with right(model, both) as run:
            yield run

    monkeypatch.setattr(checks, "hooked_reading", wrong)


def test_a_hook_behind_the_norm_is_found(model, truth, monkeypatch):
    reading_through(monkeypatch, value_of=lambda t: torch.nn.functional.layer_norm(t, t.shape[-1:]))
    assert READ in failed(model, truth)


def test_a_block_that_is_off_by_one_is_found(model, truth, monkeypatch):
    reading_through(monkeypatch, name_of=lambda name: name.replace("2.hook_resid_post", "2.hook_in"))
    found = [check for check in every_check(model, truth) if not check.passed]
    assert [check.level for check in found if check.name == READ] == ["layer_02"]


def test_an_edit_that_is_made_twice_is_found(model, truth, monkeypatch):
    once = Aim.edited
    monkeypatch.setattr(Aim, "edited", lambda aim, name, edit, resid: once(aim, name, lambda r: edit(edit(r)), resid))
    assert {"an edit reaches the next block once", "logits under an edit"} <= failed(model, truth)


def test_an_edit_that_is_lost_is_found(model, truth, monkeypatch):
    monkeypatch.setattr(Aim, "edited", lambda aim, name, edit, resid: edit(resid) * 0 + resid)
    assert {"an edit reaches the next block once", "logits under an edit"} <= failed(model, truth)


def test_a_stale_adapter_is_found(model):
    """The folder has been merged with another adapter since the weights were loaded."""
    assert model.bridge.cfg.n_layers == 3
    path = model.checkpoint.folder / "model.safetensors"
    tensors = load_file(path)
    weight = tensors["transformer.h.1.mlp.c_proj.weight"]
    weight += 0.01 * torch.randn(weight.shape[0], 1) @ torch.randn(1, weight.shape[1])
    save_file(tensors, path, {"format": "pt"})
    found = [check for check in every_check(model, truth_of(model_in(path.parent))) if not check.passed]
    assert [check.level for check in found if check.name == READ] in (["layer_01"], ["layer_02"])


def test_another_precision_is_found(model, truth):
    model.bridge.original_model.bfloat16().float()
    assert READ in failed(model, truth)


def test_folded_weights_are_found(model, truth):
    model.bridge.enable_compatibility_mode()
    assert READ in failed(model, truth)


def test_a_wrong_head_is_found(model, truth):
    head = model.bridge.original_model.get_output_embeddings().original_component
    head.weight = torch.nn.Parameter(head.weight.roll(1, 0), requires_grad=False)
    found = failed(model, truth)
    assert {"logits, padded right", "generation, whole text"} <= found and READ not in found


def test_missing_tensors_are_refused(model):
    path = model.checkpoint.folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(IntegrityError, match=r"lack 1 tensors, transformer\.h\.1\.mlp\.c_fc\.weight"):
        truth_of(replace(model))


def test_a_cache_that_loses_what_it_was_given_is_found(model, truth, monkeypatch):
    from latentmech.model import kv_cache

    def forgetful(self, name, held, new):
        return new

    monkeypatch.setattr(kv_cache.RoomyLayer, "_longer", forgetful)
    found = failed(model, truth)
    assert "states, with a cache" in found and READ not in found


def test_attention_that_sees_what_follows_is_found(model, truth):
    assert "a state knows nothing of what follows" in failed(model, replace(truth, earlier=0.1))


def test_what_has_no_number_has_not_passed(model, truth):
    found = {check.name: check for check in every_check(model, replace(truth, earlier=float("nan")))}
    assert not found["a state knows nothing of what follows"].passed


def test_a_check_that_raises_says_what(model, truth, monkeypatch):
    monkeypatch.setattr(checks, "read_out", lambda model, states: 1 / 0)
    (lens,) = [check for check in every_check(model, truth) if check.name == "the head on the last states"]
    assert not lens.passed and lens.level == "division by zero" and "refused" in lens.remedy

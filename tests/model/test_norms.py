"""Leaving out what nobody listens to changes no bit, and nothing stays behind."""

import pytest
import torch
from architectures import write_checkpoint

from latentmech.model import Local, Model
from latentmech.model.norms import norms_once


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def bridge(request, tmp_path_factory):
    folder = write_checkpoint(tmp_path_factory.mktemp(request.param), request.param)
    return Model(name=request.param, source=Local(path=str(folder))).bridge


def hidden(bridge) -> torch.Tensor:
    with torch.inference_mode():
        return bridge.original_model.base_model(input_ids=torch.arange(1, 9)[None], use_cache=False)[0]


def counted(bridge, monkeypatch) -> list[str]:
    """The norms whose values by hand were computed, by class name."""
    kind, seen = type(bridge.blocks[0].ln1), []
    inner = kind._hf_autograd_forward_with_hooks
    monkeypatch.setattr(
        kind, "_hf_autograd_forward_with_hooks", lambda norm, x: (seen.append(type(norm).__name__), inner(norm, x))[1]
    )
    return seen


def test_the_result_is_the_same_to_the_bit_and_the_second_computation_gone(bridge, monkeypatch):
    seen = counted(bridge, monkeypatch)
    expected = hidden(bridge)
    assert seen
    seen.clear()
    with norms_once(bridge):
        assert torch.equal(hidden(bridge), expected)
    assert not seen
    hidden(bridge)
    assert seen


def test_a_hook_at_a_norm_is_still_heard(bridge):
    heard = []
    name = "blocks.1.ln1.hook_scale"
    with bridge.hooks(fwd_hooks=[(name, lambda value, hook: heard.append(hook.name))]), norms_once(bridge):
        hidden(bridge)
    assert heard == [name]


def test_nothing_stays_behind_after_an_error(bridge):
    before = [set(vars(module)) for module in bridge.modules()]
    with pytest.raises(RuntimeError, match="stop"), norms_once(bridge):
        raise RuntimeError("stop")
    assert [set(vars(module)) for module in bridge.modules()] == before

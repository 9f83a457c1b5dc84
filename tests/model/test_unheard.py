"""Leaving out what nobody listens to changes no result, and nothing stays behind."""

import pytest
import torch
from architectures import write_checkpoint
from transformers import AutoModelForCausalLM

from latentmech.model import Local, Model
from latentmech.model.unheard import fused_attention, unheard_left_out


@pytest.fixture(scope="module", params=["gpt2", "llama", "gemma3"])
def model(request, tmp_path_factory) -> Model:
    folder = write_checkpoint(tmp_path_factory.mktemp(request.param), request.param)
    return Model(name=request.param, source=Local(path=str(folder)))


@pytest.fixture
def bridge(model):
    return model.bridge


def hidden(backbone) -> torch.Tensor:
    with torch.inference_mode():
        return backbone(input_ids=torch.arange(1, 9)[None], use_cache=False)[0]


def listening(bridge, *names):
    heard = {}
    hooks = [(name, lambda value, hook: heard.update({hook.name: value.clone()})) for name in names]
    return bridge.hooks(fwd_hooks=hooks), heard


def own(bridge) -> set[str]:
    """Kinds of TransformerLens's components that the backbone runs."""
    return set(components(bridge.original_model.base_model))


def components(module):
    for child in module.children():
        if hasattr(child, "original_component"):
            yield type(child).__name__
            child = child.original_component
        yield from components(child)


def test_without_hooks_the_backbone_is_the_plain_one_to_the_bit(model, bridge):
    plain = AutoModelForCausalLM.from_pretrained(
        model.checkpoint.folder, dtype=torch.float32, attn_implementation="eager"
    )
    expected = hidden(plain.base_model.eval())
    assert own(bridge) >= {"BlockBridge", "LinearBridge"}
    with unheard_left_out(bridge):
        assert not own(bridge)
        assert torch.equal(hidden(bridge.original_model.base_model), expected)


def test_with_the_residual_stream_heard_only_blocks_are_left(bridge):
    hooks, heard = listening(bridge, "blocks.0.hook_resid_pre", "blocks.2.hook_resid_post")
    with hooks, unheard_left_out(bridge):
        assert own(bridge) == {"BlockBridge"}
        hidden(bridge.original_model.base_model)
    assert set(heard) == {"blocks.0.hook_in", "blocks.2.hook_out"}


def test_where_the_end_of_a_part_is_heard_its_inside_is_left_out(bridge):
    names = ["blocks.1.hook_attn_out", "blocks.2.hook_mlp_out"]
    hooks, heard = listening(bridge, *names)
    with hooks, unheard_left_out(bridge):
        assert own(bridge) == {"BlockBridge"}
        hidden(bridge.original_model.base_model)
    assert len(heard) == 2


def test_an_edit_at_the_end_of_a_part_is_the_same_with_its_inside_left_out(bridge):
    changed = []
    with bridge.hooks(fwd_hooks=[("blocks.1.hook_attn_out", lambda value, hook: value * 2)]):
        changed.append(hidden(bridge.original_model.base_model))
        with unheard_left_out(bridge):
            changed.append(hidden(bridge.original_model.base_model))
    torch.testing.assert_close(*changed, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(changed[0], hidden(bridge.original_model.base_model), atol=1e-2)


def test_a_part_that_its_block_listens_to_is_kept(tmp_path):
    """Granite scales what attention returns, and the block's own hook point for it hangs on the component."""
    folder = write_checkpoint(tmp_path, "granite")
    bridge = Model(name="granite", source=Local(path=str(folder))).bridge
    heard = []
    for leaving_out in (False, True):
        hooks, found = listening(bridge, "blocks.1.hook_attn_out")
        with hooks:
            if leaving_out:
                with unheard_left_out(bridge):
                    hidden(bridge.original_model.base_model)
            else:
                hidden(bridge.original_model.base_model)
        heard.append(found["blocks.1.hook_attn_out"])
    torch.testing.assert_close(*heard, rtol=1e-5, atol=1e-5)


INSIDE = ["hook_resid_mid", "hook_attn_out", "hook_mlp_out", "attn.hook_pattern", "ln1.hook_scale", "attn.hook_q"]


@pytest.mark.parametrize("name", INSIDE)
def test_what_is_heard_is_what_it_was(bridge, name):
    found = []
    for leaving_out in (False, True):
        hooks, heard = listening(bridge, f"blocks.1.{name}")
        with hooks:
            if leaving_out:
                with unheard_left_out(bridge):
                    hidden(bridge.original_model.base_model)
            else:
                hidden(bridge.original_model.base_model)
        found.append(heard)
    assert len(found[0]) == 1 and set(found[0]) == set(found[1])
    torch.testing.assert_close(*(next(iter(heard.values())) for heard in found), rtol=1e-5, atol=1e-5)


def test_nothing_stays_behind_after_an_error(bridge):
    before = dict(bridge.original_model.named_modules())
    with pytest.raises(RuntimeError, match="stop"), unheard_left_out(bridge):
        raise RuntimeError("stop")
    assert dict(bridge.original_model.named_modules()) == before


def test_folded_weights_are_not_gone_round(tmp_path):
    folder = write_checkpoint(tmp_path, "gpt2")
    bridge = Model(name="folded", source=Local(path=str(folder)), compatibility_mode=True).bridge
    expected = hidden(bridge.original_model.base_model)
    with unheard_left_out(bridge):
        assert torch.equal(hidden(bridge.original_model.base_model), expected)


def attention_of(bridge) -> str:
    return bridge.original_model.config._attn_implementation


@pytest.mark.parametrize("name", ["hook_resid_post", "hook_attn_out", "hook_mlp_out"])
def test_attention_is_fused_where_nobody_listens_inside(bridge, name):
    plain = hidden(bridge.original_model.base_model)
    hooks, heard = listening(bridge, f"blocks.1.{name}")
    with hooks, unheard_left_out(bridge), fused_attention(bridge):
        assert attention_of(bridge) == "sdpa"
        torch.testing.assert_close(hidden(bridge.original_model.base_model), plain, rtol=1e-4, atol=1e-5)
    assert heard and attention_of(bridge) == "eager"


def test_attention_that_is_heard_stays_eager(bridge):
    hooks, heard = listening(bridge, "blocks.1.attn.hook_pattern")
    with hooks, unheard_left_out(bridge), fused_attention(bridge):
        assert attention_of(bridge) == "eager"
        hidden(bridge.original_model.base_model)
    assert heard


def test_attention_with_capped_scores_stays_eager(tmp_path):
    bridge = Model(name="gemma2", source=Local(path=str(write_checkpoint(tmp_path, "gemma2")))).bridge
    with unheard_left_out(bridge), fused_attention(bridge):
        assert attention_of(bridge) == "eager"


def test_attention_is_eager_again_after_an_error(bridge):
    with pytest.raises(RuntimeError, match="stop"), unheard_left_out(bridge), fused_attention(bridge):
        raise RuntimeError("stop")
    assert attention_of(bridge) == "eager"


def test_what_transformers_asks_of_a_part_is_answered_by_what_lies_inside(tmp_path):
    """NemotronH asks every block for its kind, Jamba what its cache is to hold."""
    bridge = Model(name="llama", source=Local(path=str(write_checkpoint(tmp_path, "llama")))).bridge
    hooks, _ = listening(bridge, "blocks.1.hook_attn_out")
    with hooks, unheard_left_out(bridge):
        attention = bridge.original_model.base_model.layers[1].self_attn
        assert type(attention).__name__ == "_Ending"
        assert attention.layer_idx == 1
        with pytest.raises(AttributeError, match="nothing_of_the_kind"):
            _ = attention.nothing_of_the_kind

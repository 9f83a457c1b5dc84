"""What a GGUF file says about positions, caps, heads and texts is kept, or the file is refused with the key named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_gguf import made_llama, write_gguf
from safetensors.torch import load_file
from transformers import AutoConfig, Gemma2Config

from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Local, Model
from latentmech.model.gguf_metadata import GGUFMetadata, complete

THETA = 500_000.0
LLAMA3 = {
    "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192, "rope_theta": THETA,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "rope_theta": THETA}
LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": THETA}


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(cache: Path) -> list[Path]:
    """What a conversion left; the tiny model lends its tokens."""
    return [path for path in (cache / "models").iterdir() if not path.name.startswith("tiny-")]


def factors(config) -> np.ndarray:
    """As llama.cpp's converter writes them: what plain frequencies are divided by."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = THETA ** -(torch.arange(0, config.head_dim, 2) / config.head_dim)
    return (plain / scaled).numpy().astype(np.float32)


def scaled(tmp_path: Path, rope: dict) -> tuple:
    """A model with scaled positions, and a file of it."""
    llama, keys, tensors = made_llama(rope_parameters=rope, max_position_embeddings=4096), {}, {}
    if rope["rope_type"] == "llama3":
        tensors = {"rope_freqs.weight": factors(llama.config)}
    else:
        keys = {"llama.rope.scaling.type": rope["rope_type"], "llama.rope.scaling.factor": rope["factor"]}
    if rope["rope_type"] == "yarn":
        keys["llama.rope.scaling.original_context_length"] = 64
    return llama, write_gguf(tmp_path / "long.gguf", llama, keys, tensors)


@pytest.mark.parametrize("rope", [LLAMA3, YARN, LINEAR], ids=lambda rope: rope["rope_type"])
def test_scaled_positions_stay_scaled(tmp_path, own_cache, rope):
    llama, path = scaled(tmp_path, rope)
    converted = Model(source=Local(path=str(path)))
    ids = torch.arange(600)[None] % 256
    with torch.inference_mode():
        whole, ours = llama(ids).logits, converted.bridge.original_model(ids).logits
    torch.testing.assert_close(ours, whole, rtol=1e-4, atol=1e-5)
    assert AutoConfig.from_pretrained(converted.checkpoint.folder).rope_parameters["rope_type"] == rope["rope_type"]
    plain = made_llama(rope_parameters={"rope_type": "default", "rope_theta": THETA}, max_position_embeddings=4096)
    plain.load_state_dict(llama.state_dict())
    with torch.inference_mode():
        assert (plain(ids).logits - whole).abs().max() > 2e-4  # so the comparison above could fail


REFUSED = {
    "llama.rope.scaling.type": "longrope",
    "llama.final_logit_softcapping": 30.0,
    "llama.attention.clamp_kqv": 8.0,
    "llama.embedding_scale": 12.0,
    "llama.rope.scaling.attn_factor": 1.2,
    "tokenizer.ggml.pre": "superbpe",
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_the_config_has_no_place_for_is_refused_by_name(tmp_path, own_cache, key):
    more = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0} if "attn_factor" in key else {}
    path = write_gguf(tmp_path / "odd.gguf", made_llama(), more | {key: REFUSED[key]})
    with pytest.raises(BadInput, match=f"odd.gguf has {key}="):
        Local(path=str(path))()
    assert not kept(own_cache)


def test_factors_of_another_kind_are_refused(tmp_path, own_cache):
    path = write_gguf(tmp_path / "odd.gguf", made_llama(), None, {"rope_freqs.weight": np.float32([1, 3, 1, 2])})
    with pytest.raises(BadInput, match=r"odd\.gguf has rope_freqs\.weight="):
        Local(path=str(path))()


def test_caps_windows_and_heads_come_from_the_file(tmp_path):
    """Gemma 2's own are 50 and 30, which transformers leaves as they are whatever the file says."""
    keys = {"attn_logit_softcapping": 20.0, "final_logit_softcapping": 10.0, "attention.sliding_window": 7}
    keys |= {"attention.causal": True, "attention.value_length": 8, "rope.freq_base": 5e5}
    path = write_gguf(tmp_path / "file.gguf", made_llama(), {f"llama.{key}": value for key, value in keys.items()})
    config = Gemma2Config(head_dim=8, num_attention_heads=4, tie_word_embeddings=True)
    complete(config, GGUFMetadata(path))
    assert (config.attn_logit_softcapping, config.final_logit_softcapping, config.sliding_window) == (20, 10, 7)
    assert config.rope_parameters["rope_theta"] == 5e5 and config.max_position_embeddings == 256
    assert not config.tie_word_embeddings  # the file has an output.weight


def test_digits_are_split_as_the_vocabulary_was_made_for(tmp_path, own_cache):
    plain, digits = (
        Model(source=Local(path=str(write_gguf(tmp_path / f"{pre}.gguf", made_llama(), {"tokenizer.ggml.pre": pre}))))
        for pre in ("gpt-2", "smollm")
    )
    split = [m.tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 1984") for m in (plain, digits)]
    assert [[piece for piece, _ in pieces] for pieces in split] == [["in", "Ġ1984"], ["in", "Ġ", "1", "9", "8", "4"]]


def test_a_tensor_that_the_config_has_no_place_for_is_refused(tmp_path, own_cache):
    path = write_gguf(tmp_path / "biased.gguf", made_llama(), None, {"blk.1.attn_q.bias": np.ones(32, np.float32)})
    with pytest.raises(IntegrityError, match=r"hold 1 tensors, blk\.1\.attn_q\.bias"):
        Local(path=str(path))()


def test_a_part_names_what_it_lacks_and_nothing_is_kept(tmp_path, own_cache):
    def first(name: str) -> bool:
        return not name.startswith(("blk.2.", "output.", "blk.1.ffn_up"))

    path = write_gguf(tmp_path / "m-00001-of-00002.gguf", made_llama(), None, None, first)
    with pytest.raises(
        IntegrityError, match=r"blk\.2\.\*, output\.weight, blk\.1\.ffn_up\.weight; put m-00002-of-00002"
    ):
        Local(path=str(path))()
    path = write_gguf(tmp_path / "renamed.gguf", made_llama(), {"split.count": 2}, None, first)
    with pytest.raises(IntegrityError, match=r"renamed\.gguf is one of 2 parts and lacks the tensors blk\.2\.\*"):
        Local(path=str(path))()
    path = write_gguf(tmp_path / "unsaid.gguf", made_llama(), None, None, first)
    with pytest.raises(IntegrityError, match=r"lack 10 tensors, model\.layers\.1\.mlp\.up_proj\.weight"):
        Local(path=str(path))()
    assert not kept(own_cache)


def test_all_parts_together_are_the_whole(tmp_path, own_cache):
    llama = made_llama()
    for number, blocks in enumerate((("blk.0", "token"), ("blk.1", "blk.2", "output")), 1):
        only = lambda name, blocks=blocks: name.startswith(blocks)  # noqa: E731
        keys = {"split.count": 2, "split.no": number - 1}
        write_gguf(tmp_path / f"m-0000{number}-of-00002.gguf", llama, keys, None, only)
    folders = {Local(path=str(path))().folder for path in sorted(tmp_path.glob("*.gguf"))}
    assert len(folders) == 1
    found = load_file(folders.pop() / "model.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in llama.state_dict().items())


def test_capitals_are_a_suffix_too_and_neighbours_are_no_part_of_a_file(tmp_path, own_cache):
    path = write_gguf(tmp_path / "LITTLE.GGUF", made_llama())
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "from next door"}')
    model = Model(source=Local(path=str(path)))
    assert model.name == "LITTLE.GGUF" and model.n_layers == 3
    assert model.tokenizer.chat_template is None

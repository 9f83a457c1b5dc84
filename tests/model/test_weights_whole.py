"""Weights come in whole, as they were fingerprinted, and under the name of what was loaded."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from architectures import write_checkpoint
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BloomConfig, MptConfig, OPTConfig

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Checkpoint, Local, Model, SentenceEncoder, Tiny, levels_of, read_out
from latentmech.model.fold import fold_ablation


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(Tiny()().folder, tmp_path / "model"))


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def model_in(folder: Path, **settings) -> Model:
    return Model(source=Local(path=str(folder)), **settings)


def rewrite(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def edit(path: Path, **settings) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


WRONG = {
    "missing": (
        lambda t: t.pop("transformer.h.2.mlp.c_fc.bias"),
        r"lack 1 tensors, transformer\.h\.2\.mlp\.c_fc\.bias",
    ),
    "left over": (lambda t: t.update({"transformer.h.3.x": torch.ones(2)}), r"hold 1 tensors, transformer\.h\.3\.x"),
    "other size": (
        lambda t: t.update({"transformer.wte.weight": torch.ones(200, 32)}),
        r"transformer\.wte\.weight is 200x32 and not 259x32",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_tensors_that_are_missing_left_over_or_of_other_sizes_are_refused_by_name(folder, kind):
    change, message = WRONG[kind]
    rewrite(folder, change)
    with pytest.raises(IntegrityError, match=message):
        _ = model_in(folder).bridge
    with pytest.raises(IntegrityError, match=message):
        fold_ablation(replace(Model(source=Tiny()), source=Local(path=str(folder))), torch.ones(32))


def test_a_pickle_is_never_read_in_place_of_the_weights(folder):
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(IntegrityError, match="cannot be read"):
        _ = model_in(folder).bridge


def test_an_encoder_of_other_names_is_refused_and_a_whole_model_is_read_without_its_head(tmp_path):
    folder = write_checkpoint(tmp_path / "encoder", "llama")
    assert SentenceEncoder(source=Local(path=str(folder))).encode(["abc"]).shape == (1, 32)
    rewrite(folder, lambda t: [t.__setitem__(name.replace("layers.", "blocks."), t.pop(name)) for name in list(t)])
    with pytest.raises(IntegrityError, match=r"lack 27 tensors, layers\.0"):
        SentenceEncoder(source=Local(path=str(folder))).encode(["abc"])


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("weights", lambda f: rewrite(f, lambda t: t["transformer.ln_f.bias"].add_(1))),
        ("config", lambda f: edit(f / "config.json", layer_norm_epsilon=1.0)),
        ("tokenizer", lambda f: edit(f / "tokenizer_config.json", chat_template="{{ 1 }}")),
    ],
)
def test_a_folder_that_is_overwritten_while_a_run_starts_leaves_nothing_in_the_cache(folder, tmp_path, what, change):
    model, store = model_in(folder), ActivationStore(root=str(tmp_path / "store"))
    examples = Examples(ids=("a",), texts=("abc",), groups=("a",), splits=("",), source="here")
    assert model.fingerprint
    change(folder)
    with pytest.raises(IntegrityError, match=f"{what} in .* changed while it was read"):
        store.get(model, examples, levels_of(model.n_layers), "text_last")
    assert not list((tmp_path / "store").rglob("*.safetensors"))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "additional_chat_templates" / "brief.jinja").write_text("{{ messages[0].content }}"),
        lambda f: (f / "additional_chat_templates" / "rag.jinja").write_text("{{ 1 }}"),
        lambda f: (f / "chat_template.jinja").write_text("{{ 1 }}"),
        lambda f: edit(f / "tokenizer_config.json", bos_token="<|eos|>"),
        lambda f: edit(f / "generation_config.json", eos_token_id=[1, 2]),
        lambda f: edit(f / "config.json", activation_function="relu"),
        lambda f: (f / "tokenizer.model").write_bytes(b"1"),
        lambda f: (f / "adapter_config.json").write_text("{}"),
    ],
)
def test_every_file_that_is_loaded_belongs_to_the_identity(folder, change):
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "brief.jinja").write_text("{{ messages }}")
    before = Checkpoint(folder).contents
    change(folder)
    assert Checkpoint(folder).contents != before


@pytest.mark.parametrize("package", ["torch", "transformers", "transformer-lens"])
def test_the_versions_that_compute_belong_to_the_fingerprint(tiny, monkeypatch, package):
    from importlib.metadata import version

    before = tiny.fingerprint
    monkeypatch.setattr(
        "latentmech.model.handle.importlib.metadata.version", lambda name: "0" if name == package else version(name)
    )
    assert replace(tiny).fingerprint != before


def test_a_local_model_has_the_name_of_its_folder_and_a_label_replaces_nothing(folder):
    assert model_in(folder).name == model_in(folder, name=str(folder)).name == "model"
    assert Model(source=Tiny(), name="gpt2").called == "gpt2 (tiny)"
    assert replace(Model(source=Tiny(), name="gpt2"), random_init=True).called == "gpt2 (tiny)"
    assert Model(source=Tiny()).called == model_in(folder, name="tiny").name == "tiny"


def small(kind: str, tmp_path: Path, **settings) -> Path:
    config = {"bloom": BloomConfig, "mpt": MptConfig, "opt": OPTConfig}[kind](
        vocab_size=259, bos_token_id=0, **settings
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / kind)
    AutoTokenizer.from_pretrained(Tiny()().folder).save_pretrained(tmp_path / kind)
    return tmp_path / kind


def test_a_model_without_learned_positions_takes_its_limit_from_where_it_is_or_has_none(tmp_path):
    bloom = model_in(small("bloom", tmp_path, n_layer=2, n_head=2, hidden_size=8))
    mpt = model_in(small("mpt", tmp_path, n_layers=2, n_heads=2, d_model=8, max_seq_len=77))
    assert mpt.n_ctx == 77 and bloom.n_ctx > 10**9
    edit(tmp_path / "bloom" / "tokenizer_config.json", model_max_length=99)
    assert model_in(tmp_path / "bloom").n_ctx == 99
    edit(tmp_path / "bloom" / "config.json", seq_length=55)
    assert model_in(tmp_path / "bloom").n_ctx == 55


def test_a_head_that_the_lens_cannot_read_is_refused_in_one_line(tmp_path, tiny):
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8, "ffn_dim": 8, "word_embed_proj_dim": 4}
    with pytest.raises(BadInput, match=r"cannot be read through the head of opt: .*project_out"):
        read_out(model_in(small("opt", tmp_path, **sizes)), torch.zeros(1, 8))
    assert read_out(tiny, torch.zeros(1, tiny.d_model)).shape[0] == 1


def test_folders_that_cannot_work_say_so_before_their_weights_are_read(folder):
    edit(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(BadInput, match=r"are quantised \(gptq\).*optimum"):
        _ = model_in(folder).n_layers
    edit(folder / "config.json", quantization_config=None, vocab_size=200)
    with pytest.raises(BadInput, match=r"59 tokens that the embedding of 200 rows has not.* with id 200"):
        _ = model_in(folder).tokenizer
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(BadInput, match=r"has no tokenizer; put tokenizer\.json"):
        _ = model_in(folder).tokenizer
    edit(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    with pytest.raises(BadInput, match="code that comes with a model is not run"):
        _ = model_in(folder).n_layers
    (folder / "config.json").write_text("{")
    with pytest.raises(BadInput, match=r"config\.json is no JSON"):
        Local(path=str(folder))()


def test_a_special_token_beyond_the_embedding_is_no_reason_to_refuse_and_never_pads(folder):
    """Gemma 3 has one for images; many fine-tunes have a token that only pads."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    assert model_in(folder).tokenizer.pad_token_id is None
    tokenizer.add_tokens(["the"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(BadInput, match="such as 'the' with id 260"):
        _ = model_in(folder).tokenizer


@pytest.fixture
def adapter(tmp_path, own_cache) -> Path:
    base = AutoModelForCausalLM.from_pretrained(write_checkpoint(tmp_path / "base", "llama"))
    update = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(base, update).save_pretrained(tmp_path / "adapter")
    edit(tmp_path / "adapter" / "adapter_config.json", base_model_name_or_path="../base")
    return tmp_path / "adapter"


def query(folder: Path) -> torch.Tensor:
    return model_in(folder).bridge.original_model.model.layers[0].self_attn.q_proj.weight


def expected_query(base: Path, adapter: Path, scale: float) -> torch.Tensor:
    factors = load_file(adapter / "adapter_model.safetensors")
    a, b = (factors[f"base_model.model.model.layers.0.self_attn.q_proj.lora_{f}.weight"] for f in "AB")
    return load_file(base / "model.safetensors")["model.layers.0.self_attn.q_proj.weight"] + scale * (b @ a)


def test_an_adapters_folder_is_read_on_its_base(adapter):
    model, base = model_in(adapter), adapter.parent / "base"
    torch.testing.assert_close(query(adapter), expected_query(base, adapter, 8 / 2))
    assert model.name == "adapter" and "base with the adapter in adapter" in model.checkpoint.note
    before = model.fingerprint
    edit(adapter / "adapter_config.json", lora_alpha=16)
    assert model_in(adapter).fingerprint != before
    torch.testing.assert_close(query(adapter), expected_query(base, adapter, 16 / 2))


def test_an_adapter_beside_the_weights_counts_and_belongs_to_the_identity(adapter):
    base = adapter.parent / "base"
    alone = model_in(base).fingerprint
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, base)
    assert model_in(base).fingerprint != alone
    torch.testing.assert_close(query(base), expected_query(base, adapter, 8 / 2))


def test_an_adapter_without_its_base_or_without_some_of_its_tensors_is_refused(adapter, own_cache):
    weights = load_file(adapter / "adapter_model.safetensors")
    gone = sorted(weights)[0]
    save_file({name: t for name, t in weights.items() if name != gone}, adapter / "adapter_model.safetensors")
    with pytest.raises(IntegrityError, match=gone):
        model_in(adapter).checkpoint  # noqa: B018
    assert not list((own_cache / "models").glob("base-*"))
    edit(adapter / "adapter_config.json", base_model_name_or_path="org/base")
    with pytest.raises(BadInput, match="holds an adapter for org/base, which is no model folder on this disk"):
        model_in(adapter).checkpoint  # noqa: B018

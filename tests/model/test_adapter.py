"""An adapter merged into its base is W + alpha / rank * B A, made once, and only from the files and base it names."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Adapted, Local, Model, Tiny
from latentmech.model.adapter import ADAPTER_CARD, adapter_checksums, tensors_sha256
from latentmech.model.peft_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from latentmech.storage import save_json

RANK, ALPHA = 2, 6


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def adapter(tmp_path, own_cache) -> Path:
    """A LoRA on the tiny model, random in both factors, as peft saves it, and its card."""
    folder = tmp_path / "shouting"
    base = AutoModelForCausalLM.from_pretrained(Tiny()().folder)
    update = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["c_attn"], init_lora_weights=False)
    get_peft_model(base, update).save_pretrained(folder)
    write_card(folder, Tiny())
    return folder


def write_card(folder: Path, base: Tiny) -> None:
    card = {"base": "org/tiny", "base_tensors": tensors_sha256(base()), "files": adapter_checksums(folder)}
    save_json(folder / ADAPTER_CARD, card)


def test_merged_weights_are_the_bases_plus_the_scaled_product(adapter):
    base = load_file(Tiny()().folder / "model.safetensors")
    merged = load_file(Adapted(base=Tiny(), adapter=str(adapter))().folder / "model.safetensors")
    factors = load_file(adapter / ADAPTER_WEIGHTS)
    changed = {name for name in base if not torch.equal(base[name], merged[name])}
    assert changed == {f"transformer.h.{layer}.attn.c_attn.weight" for layer in range(3)}
    for name in changed:
        a, b = (factors[f"base_model.model.{name.removesuffix('weight')}lora_{f}.weight"] for f in "AB")
        # GPT-2 keeps its matrices the other way round, [d_in d_out].
        torch.testing.assert_close(merged[name], base[name] + ALPHA / RANK * (b @ a).T)


def test_the_merged_folder_is_a_model_with_the_bases_tokenizer(adapter):
    model = Model(name="shouting", source=Adapted(base=Tiny(), adapter=str(adapter)))
    base = Model(name="tiny", source=Tiny())
    assert model.bridge.cfg.n_layers == 3
    assert model.checkpoint.tokenizer_sha256 == base.checkpoint.tokenizer_sha256
    assert model.fingerprint != base.fingerprint
    assert model.checkpoint.folder.name.startswith("tiny-shouting-")
    assert "org/tiny fine-tuned with the adapter shouting; random weights" in model.checkpoint.note
    model.checkpoint.verify()


def test_merging_happens_once(adapter, own_cache, monkeypatch):
    first = Adapted(base=Tiny(), adapter=str(adapter))()
    monkeypatch.setattr("latentmech.model.peft_folder._merged", None)
    assert Adapted(base=Tiny(), adapter=str(adapter))() == first
    assert sorted(p.name for p in (own_cache / "models").iterdir()) == sorted([first.folder.name, Tiny()().folder.name])


def test_other_factors_and_another_scale_are_another_model(adapter):
    before = Adapted(base=Tiny(), adapter=str(adapter))().folder
    config = json.loads((adapter / ADAPTER_CONFIG).read_text())
    save_json(adapter / ADAPTER_CONFIG, config | {"lora_alpha": 2 * ALPHA})
    write_card(adapter, Tiny())
    after = Adapted(base=Tiny(), adapter=str(adapter))().folder
    assert not torch.equal(
        *(load_file(f / "model.safetensors")["transformer.h.0.attn.c_attn.weight"] for f in (before, after))
    )


@pytest.mark.parametrize("name", [ADAPTER_CONFIG, ADAPTER_WEIGHTS])
def test_an_adapter_that_is_not_what_its_card_records_is_refused(adapter, name, own_cache):
    data = bytearray((adapter / name).read_bytes())
    data[-3] ^= 1
    (adapter / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=r"not the one its card\.json records"):
        Adapted(base=Tiny(), adapter=str(adapter))()


def test_a_damaged_adapter_is_refused_even_if_it_was_merged_before(adapter):
    Adapted(base=Tiny(), adapter=str(adapter))()
    (adapter / ADAPTER_WEIGHTS).write_bytes(b"")
    with pytest.raises(IntegrityError):
        Adapted(base=Tiny(), adapter=str(adapter))()


def test_another_base_is_refused_and_nothing_is_left(adapter, own_cache):
    other = Tiny(seed=1)
    with pytest.raises(BadInput, match=rf"shouting was trained on org/tiny .* the base in .*{other().folder.name}"):
        Adapted(base=other, adapter=str(adapter))()
    assert not list((own_cache / "models").glob("*shouting*"))


def test_the_same_base_in_other_files_is_accepted(adapter, tmp_path):
    """As when another version of a library has laid the same tensors out in another way."""
    folder = tmp_path / "rewritten"
    folder.mkdir()
    source = Tiny()().folder
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tensors = load_file(source / "model.safetensors")
    save_file(tensors, folder / "model.safetensors", {"format": "pt", "written": "by another version"})
    rewritten = Local(path=str(folder))
    assert rewritten().weights_sha256 != Tiny()().weights_sha256
    assert Adapted(base=rewritten, adapter=str(adapter))().folder.is_dir()


@pytest.mark.parametrize("missing", [ADAPTER_CARD, ADAPTER_CONFIG, ADAPTER_WEIGHTS])
def test_an_adapter_without_one_of_its_files_is_refused(adapter, missing):
    """Weights in another format, which may be pickled, are not looked for."""
    (adapter / missing).rename(adapter / "adapter_model.bin")
    with pytest.raises(BadInput, match=f"has no {missing}"):
        Adapted(base=Tiny(), adapter=str(adapter))()


def test_an_adapter_that_is_not_there_is_said_with_those_that_are(own_cache):
    with pytest.raises(BadInput, match=r"no adapter 'refusin'; did you mean 'refusing'\?"):
        Adapted(base=Tiny(), adapter="refusin")()


def test_the_bundled_adapter_is_whole_and_belongs_to_another_model(own_cache):
    with pytest.raises(BadInput, match="refusing was trained on SmolLM2-135M-Instruct"):
        Adapted(base=Tiny(), adapter="refusing")()


def test_a_merge_that_fails_leaves_nothing(adapter, own_cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latentmech.model.peft_folder.shutil.copy", full)
    from latentmech.errors import ResourceError

    with pytest.raises(ResourceError, match="no space left"):
        Adapted(base=Tiny(), adapter=str(adapter))()
    assert not list((own_cache / "models").glob("*shouting*"))

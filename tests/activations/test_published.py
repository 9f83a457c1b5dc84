"""Activations that others have kept: a study gives the same without the model, and is refused what is not there."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from commands import QUICK, invoke, quick

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Pairs
from latentmech.direction import DirectionStudy
from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Local, Model, levels_of
from latentmech.probe import ProbeStudy

PROBE = {"method": "ridge", "draws": 100, "unseen_classes": "drop", "control_seeds": 1}
LEVELS = levels_of(3)


@pytest.fixture
def nowhere(tmp_path):
    """A model that is nowhere on this machine."""
    return Model(name="elsewhere", source=Local(path=str(tmp_path / "gone")))


@pytest.fixture
def store(tmp_path):
    return ActivationStore(root=str(tmp_path / "cache"), shard_rows=100, push=str(tmp_path / "pushed"))


@pytest.fixture
def source(tmp_path):
    return ActivationStore(root=str(tmp_path / "empty"), source=str(tmp_path / "pushed"))


def test_probes_are_trained_without_the_model(store, source, tiny, nowhere):
    study = ProbeStudy(data=Corpus(limit=900), **PROBE)
    expected = study.find(tiny, store)
    assert "2 entries" in store.publish(tiny)
    found = study.find(nowhere, source)
    assert found.model == "tiny"
    for one, other in zip(expected.own.fits, found.own.fits, strict=True):
        assert torch.equal(one.probe.weight, other.probe.weight)
    assert expected.test["random_init"].scores["accuracy"] == found.test["random_init"].scores["accuracy"]
    report = study(nowhere, source)
    assert report.provenance["model"]["fingerprint"] == tiny.fingerprint
    assert not source._root().exists()


def test_directions_are_found_without_the_model(store, source, tiny, nowhere):
    asked = {"random_draws": 19, "shuffles": 19, "halvings": 2, "compare": False, "draws": 100}
    study = DirectionStudy(data=Pairs(name="refusal", limit=80), **asked)
    expected = study.find(tiny, store)
    store.publish(tiny)
    found = study.find(nowhere, source)
    assert torch.equal(expected.direction.vector, found.direction.vector)
    assert found.direction.card["model"]["identity"] == tiny.identity
    found.direction.check(tiny)


def test_what_was_pushed_is_said_by_its_card(store, tiny, tmp_path, examples):
    store.get(tiny, examples, LEVELS)
    store.publish(tiny)
    store.get(tiny, examples, LEVELS[:2], "text_last")
    store.publish(tiny)
    card = json.loads((tmp_path / "pushed" / "activations.json").read_text())
    assert {entry["position"] for entry in card["entries"].values()} == {"word_last", "text_last"}
    assert {entry["source"] for entry in card["entries"].values()} == {examples.source}
    assert card["model"]["identity"] == tiny.identity
    assert "tiny" in (tmp_path / "pushed" / "README.md").read_text()
    with pytest.raises(BadInput, match="holds states of tiny; name another place"):
        store.publish(replace(tiny, dtype="bfloat16"))


@pytest.fixture
def opened(store, source, tiny, examples):
    store.get(tiny, examples, LEVELS[:3])
    store.publish(tiny)
    return source.opened(tiny)


REFUSED = [
    ({"levels": LEVELS}, r"lacks blocks\.2\.hook_resid_post of these texts"),
    ({"position": "word_mean"}, "holds these texts at word_last and not at word_mean"),
    ({"limit": 200}, r"holds no states of these texts \(.*…\), but of bundled treebank; give the same data"),
    ({"random_init": True}, "read by other weights.*set probe.random_init=false"),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED)
def test_what_is_not_there_is_refused_by_name(opened, examples, asked, message):
    model, source = opened
    texts = Corpus(limit=asked["limit"])() if "limit" in asked else examples
    model = replace(model, random_init=asked.get("random_init", False))
    with pytest.raises(BadInput, match=message):
        source.get(model, texts, asked.get("levels", LEVELS[:3]), asked.get("position", "word_last"))


def test_the_model_itself_is_not_to_be_had(opened):
    with pytest.raises(BadInput, match="holds states of tiny and no weights"):
        _ = opened[0].bridge


@pytest.mark.parametrize("name", ["activations.json", "entry.json", "safetensors"])
def test_what_was_changed_is_refused(source, tiny, examples, opened, tmp_path, name):
    path = next(p for p in (tmp_path / "pushed").rglob("*") if p.name.endswith(name))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    def read():
        model, again = source.opened(tiny)
        return again.get(model, examples, LEVELS[:3])

    with pytest.raises(IntegrityError, match="damaged"):
        read()


def test_places_that_hold_nothing_are_refused(tiny, tmp_path):
    with pytest.raises(BadInput, match=r"there is no activations\.json"):
        ActivationStore(source=str(tmp_path)).opened(tiny)
    with pytest.raises(BadInput, match="expected hub:owner/repo"):
        ActivationStore(source="hub:nobody")


def test_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    push = f"activations.push={tmp_path / 'pushed'}"
    code, out, err = invoke(*QUICK, "probe=number", push)
    assert code == 0, err
    assert f"activations: 2 entries in {tmp_path / 'pushed'}" in out
    shutil.rmtree(tmp_path / "cache")
    elsewhere = [one for one in QUICK if one != "model=tiny"]
    own = ["model=local", "model.source.path=/nowhere", f"activations.source={tmp_path / 'pushed'}"]
    code, out, err = invoke(*elsewhere, *own, "probe=number")
    assert code == 0, err
    assert "tiny" in out
    code, _, err = invoke("geometry=map", *own)
    assert (code, err.count("\n")) == (2, 1)
    assert "Map runs the model itself; leave activations.source out" in err
    code, _, err = invoke(*quick("direction"), "direction=refusal", own[-1], "selection@direction.selection=causal")
    assert (code, err.count("\n")) == (2, 1)
    assert "direction.selection=null" in err


def test_shares_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path))
    asked = [*QUICK, "probe=number", "activations.shard_rows=64"]
    code, _, err = invoke(*asked, "activations.shard=1/2")
    assert code == 0
    assert len([line for line in err.split("\n") if line.startswith("latentmech: ") and "shard 1/2 wrote" in line]) == 1
    assert err.count("are missing") == 2  # of the model and of its twin
    code, _, err = invoke(*asked, "activations.shard=0/2")
    assert code == 0
    assert err.count("0 are missing") == 2
    code, out, err = invoke(*asked)
    assert code == 0, err
    assert "reads number from block" in out
    code, _, err = invoke(*asked, "activations.shard=2/2")
    assert (code, err.count("\n")) == (2, 1)
    assert "is no share; expected i/n" in err

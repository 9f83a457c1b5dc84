"""Probes from moments are those from rows, and what moments do not carry is refused before anything is loaded."""

from dataclasses import replace

import numpy as np
import pytest
from commands import QUICK, invoke

from latentmech.activations import ActivationStore
from latentmech.data import Corpus
from latentmech.errors import BadInput
from latentmech.probe import ProbeStudy


@pytest.fixture
def store(tmp_path):
    return ActivationStore(root=str(tmp_path), shard_rows=100)


@pytest.mark.parametrize("settings", [
    {"method": "ridge"}, {"method": "lda", "task": "proper_noun"}, {"method": "mass_mean"},
    {"method": "ridge", "class_weight": "balanced"},
])  # fmt: skip
def test_probes_from_moments_are_those_from_rows(store, tiny, settings):
    study = ProbeStudy(
        data=Corpus(limit=900), control_seeds=2, shuffles=2, draws=100, unseen_classes="drop", **settings
    )
    rows, moments = (study.find(tiny, replace(store, keep=keep)) for keep in ("rows", "moments"))
    for one, other in zip(rows.own.fits, moments.own.fits, strict=True):
        size = one.probe.weight.abs().max()
        assert (one.probe.weight - other.probe.weight).abs().max() < 1e-3 * size
        for a, b in zip(one.controls, other.controls, strict=True):
            assert (a.weight - b.weight).abs().max() < 1e-3 * a.weight.abs().max()
        assert one.strength == other.strength
    assert rows.test["probe"].scores["accuracy"].value == moments.test["probe"].scores["accuracy"].value
    assert np.array_equal(rows.test["random_init"].predicted, moments.test["random_init"].predicted)
    assert [one.scores["accuracy"].value for _, one in rows.controls] == [
        one.scores["accuracy"].value for _, one in moments.controls
    ]
    assert any("summed up" in note for note in moments.undone)


def test_training_rows_are_not_kept(store, tiny):
    examples = Corpus(limit=900)()
    ProbeStudy(data=Corpus(limit=900), method="ridge", unseen_classes="drop", draws=100, random_init=False).find(
        tiny, replace(store, keep="moments")
    )
    kept = sum(path.stat().st_size for path in store._root().glob("*/shard-*"))
    held_out = sum(n for n, split in zip(examples.sizes(), examples.splits, strict=True) if split != "train")
    assert kept < 1.1 * held_out * 4 * tiny.d_model * (tiny.n_layers + 1) + 2**14


def test_what_moments_do_not_carry_is_refused(store, tiny):
    with pytest.raises(BadInput, match=r"set probe\.method=ridge \(or lda, mass_mean\), or activations\.keep=rows"):
        ProbeStudy().find(tiny, replace(store, keep="moments"))
    code, _, err = invoke(*QUICK, "probe=pos", "activations.keep=moments")
    assert (code, err.count("\n")) == (2, 1)
    assert "probe.method=ridge" in err
    code, _, err = invoke("model=tiny", "geometry=map", "activations.keep=moments")
    assert (code, err.count("\n")) == (2, 1)
    assert "Map reads single rows; set activations.keep=rows" in err

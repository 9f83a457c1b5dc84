"""Edits: what their strengths mean, one steerer for all that is run, and a new edit in one function and one line."""

from dataclasses import dataclass, replace
from typing import get_type_hints

import numpy as np
import pytest
import torch
from direction.made import made

from latentmech.activations import ActivationStore
from latentmech.data import Pairs
from latentmech.direction import DirectionStudy
from latentmech.errors import BadInput
from latentmech.fields import OneOf
from latentmech.model import Scope
from latentmech.steering import EDIT_KINDS, EDITS, EditKind, Steerer, SteeringStudy, Stems, Strength, edits
from latentmech.steering.damage import divergence, untouched_runs
from latentmech.steering.edits import learned
from latentmech.steering.settings import SteeringSettings
from latentmech.steering.sweep import response

STEMS = Stems(prompts=[f"The {what} is" for what in "food book film house song team road game tree".split()],
              towards=["good"], away=["bad"])  # fmt: skip
SMALL = {"random": 2, "exchanged": 0, "n_tokens": 2, "kl_tokens": 2, "neutral_words": 100, "draws": 100}
FOUND = DirectionStudy(data=Pairs(name="sentiment", limit=80), chat_template=False, draws=100, halvings=2)


def study(**settings) -> SteeringStudy:
    return SteeringStudy(**{"trials": STEMS, "direction": FOUND, "layer": 1, **SMALL, **settings})


def plain(model, kind, gate=lambda name: None) -> Steerer:
    return Steerer(model=model, kind=EDIT_KINDS[kind], scope=Scope(), gate_at=gate)


def test_every_edit_that_settings_name_is_there():
    assert tuple(EDIT_KINDS) == EDITS


@pytest.mark.parametrize("name", EDITS)
def test_a_strength_does_what_its_edit_says_of_it(tiny, name):
    direction, resid = made(tiny), torch.randn(2, 3, tiny.d_model, generator=torch.Generator().manual_seed(7)) * 5
    kind = EDIT_KINDS[name]
    along = [kind.make(direction, Strength(s, "raw"))(resid) @ direction.vector for s in (-1.0, 0.0, 1.0)]
    assert (along[0] < along[1]).all() and (along[1] < along[2]).all()
    zero = kind.make(direction, Strength(0.0, "raw"))(resid)
    assert torch.equal(zero, resid) == (kind.neutral == 0) == ("0 is the untouched model" in kind.zero)


@dataclass(frozen=True)
class Scaling:
    vector: torch.Tensor
    factor: float

    def __call__(self, resid):
        return resid + (self.factor - 1) * (resid @ self.vector).unsqueeze(-1) * self.vector


def scaling(direction, strength):
    return Scaling(direction.vector, strength.value)


@pytest.fixture
def scaled(monkeypatch):
    """A throw-away edit: one function and one line (and its name among the settings')."""
    zero = "0 takes the projection away, and 1 is the untouched model"
    kind = EditKind(make=scaling, verb="Scaling along", zero=zero, neutral=1.0, unit="factor")
    monkeypatch.setitem(edits.EDIT_KINDS, "scaling", kind)
    (rule,) = get_type_hints(SteeringSettings, include_extras=True)["edit"].__metadata__
    monkeypatch.setitem(vars(rule), "refusal", OneOf(*edits.EDIT_KINDS).refusal)


@pytest.mark.parametrize("layer", [1, "dev"])
def test_a_new_edit_by_a_factor_means_the_factor(tiny, scaled, layer):
    found = study(edit="scaling", strengths=[0.0, 1.0, 50.0], layer=layer).find(tiny, ActivationStore())
    assert found.unit == "factor" and found.ends == (0.0, 50.0)
    assert found.doses[1.0]["effect"].value == 0 and found.doses[1.0]["kl"].value == pytest.approx(0, abs=1e-6)
    assert found.doses[50.0]["kl"].value > 5 * found.doses[0.0]["kl"].value > 0
    assert not any(name.startswith("strength_") for name in found.doses[0.0])

    def removed(resid):
        return resid - (resid @ found.direction.vector).unsqueeze(-1) * found.direction.vector

    class Removing(Steerer):
        def __call__(self, direction, strength):
            return {direction.hook_name: removed}

    by_hand = Removing(**vars(plain(tiny, "addition")))
    wanted = response(by_hand, found.trials, ([found.direction], {0.0: Strength(0.0, "raw")}))
    np.testing.assert_allclose(found.sweep.own.change[0, 0], wanted.change[0, 0], atol=1e-6)
    report = study(edit="scaling", strengths=[0.0, 1.0, 3.0])(tiny, ActivationStore())
    assert report.headline.startswith("Scaling along the sentiment direction at block 1 of tiny")
    assert any(kind.zero in note for note in report.notes for kind in [edits.EDIT_KINDS["scaling"]])
    assert "in raw" not in report.tables["strengths"].frame


@pytest.mark.parametrize(
    ("edit", "verb"),
    [("addition", "Adding"), ("rotation", "Rotating towards"), ("clamp", "Clamping along")],
)
def test_the_headline_says_what_was_done_and_the_report_what_zero_is(tiny, edit, verb):
    report = study(edit=edit, strengths=[-1.0, 0.0, 1.0])(tiny, ActivationStore())
    assert report.headline.startswith(f"{verb} the sentiment direction")
    zero = EDIT_KINDS[edit].zero
    assert zero in report.tables["strengths"].caption and zero in report.methods[0].said
    assert any(zero in note for note in report.notes) == (edit == "clamp")


def test_the_gate_and_the_scope_reach_calibration_and_the_choice_of_a_block(tiny, monkeypatch):
    """The edit that is calibrated, chosen by and swept is one: all that is run by the study comes from one steerer."""
    made_by = []
    whole = Steerer.__call__

    def noted(self, direction, strength):
        made_by.append(self)
        return whole(self, direction, strength)

    monkeypatch.setattr(Steerer, "__call__", noted)
    gated = study(unit="kl", strengths=[-0.0005, 0.0005], gate="cosine", scope=Scope(first=1), layer="dev")
    gated.find(tiny, ActivationStore())
    assert len(made_by) > 20 and len(set(map(id, made_by))) == 1
    assert made_by[0].gate_at("blocks.1.hook_resid_post").keywords["by"] == "cosine" and made_by[0].scope.first == 1


def test_nats_are_reached_with_the_gate_on_dev_prompts_or_it_is_said(tiny):
    gated = study(unit="kl", strengths=[0.0003, 4.0], gate="cosine")
    found = gated.find(tiny, ActivationStore())
    said = [note for note in found.notes if "nats" in note]
    assert len(said) == 1 and said[0].startswith("Of +4 nats ") and "were reached on dev prompts" in said[0]
    (length,) = (Strength(found.doses[0.0003]["strength_raw"].value, "raw").along(found.direction),)
    dev = STEMS(tiny, None, "dev")
    source = gated._null_source(tiny, ActivationStore(), gated._origin(tiny, ActivationStore()))
    rows = source.rows(found.direction.hook_name)[source.parts.within("dev")]
    gate = learned(rows, source.parts.truth("dev"), found.direction.vector, "cosine")
    edit = gate(EDIT_KINDS["addition"].make(found.direction, Strength(length / found.direction.norm, "raw")))
    runs = untouched_runs(tiny, dev.texts, 2)
    kl = divergence(tiny, [{found.direction.hook_name: edit}], runs).kl.mean()
    assert float(kl) == pytest.approx(0.0003, rel=0.04)


def test_nats_are_counted_from_an_untouched_model(tiny):
    with pytest.raises(BadInput, match=r"counts nats from a strength of 0, and with steering\.edit=clamp 0 takes"):
        study(unit="kl", edit="clamp").find(replace(tiny), ActivationStore())

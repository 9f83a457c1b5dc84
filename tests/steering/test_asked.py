"""What is measured is what was asked for: nats at every block, one block for several runs, the token that is scored."""

import math
from dataclasses import replace

import pytest
from direction.made import made
from steering.test_study import STEMS, study

from latentmech.activations import ActivationStore
from latentmech.direction.formats import export_gguf, export_steering_vectors, import_gguf, import_steering_vectors
from latentmech.errors import BadInput
from latentmech.model import Scope, tokenise
from latentmech.steering import Letters, Requests, Stems, completions, next_logits
from latentmech.steering.account import headline

BLOCK = "blocks.{}.hook_resid_post"


def test_a_block_is_chosen_by_the_strengths_that_are_swept_in_nats_too(tiny, monkeypatch):
    seen = {}

    def spy(steerer, direction, dev, doses_at):
        seen.update({layer: doses_at(direction.at(BLOCK.format(layer)))[2e-4] for layer in range(3)})
        return {0: 0.0, 1: 1.0}

    monkeypatch.setattr("latentmech.steering.study.rises_of", spy)
    found = study(unit="kl", strengths=[2e-4], layer="dev", random=0, exchanged=0).find(tiny, ActivationStore())
    assert found.direction.layer == 1 and {one.unit for one in seen.values()} == {"resid"}
    assert found.doses[2e-4]["strength_resid"].value == pytest.approx(seen[1].value)
    assert len({round(one.value, 4) for one in seen.values()}) > 1 and 2e-4 not in {one.value for one in seen.values()}
    assert not [note for note in found.notes if "nats" in note]


def test_runs_of_one_sweep_choose_by_all_of_its_strengths(tiny):
    both = [study(strengths=[s], choose_by=[-1.0, 0.0, 1.0], layer="dev", random=0, exchanged=0) for s in (-1.0, 1.0)]
    low, high = (one.find(tiny, ActivationStore()) for one in both)
    assert low.rises == high.rises and low.direction.layer == high.direction.layer
    alone = study(strengths=[-1.0], layer="dev", random=0, exchanged=0).find(tiny, ActivationStore())
    assert alone.rises != low.rises


def test_a_scope_that_leaves_the_prompts_as_they_are_is_refused(tiny):
    with pytest.raises(BadInput, match=r"scope\.prompt=false leaves .* every effect would be 0 by construction"):
        study(scope=Scope(prompt=False)).find(replace(tiny), ActivationStore())
    with pytest.raises(BadInput, match=r"scope\.first=300 leaves all tokens of every prompt .* longest prompt has"):
        study(scope=Scope(first=300)).find(tiny, ActivationStore())


def test_a_scope_that_leaves_out_the_scored_token_is_said(tiny):
    some = {"random": 0, "exchanged": 0, "strengths": [1.0]}
    last = study(scope=Scope(last=2), **some).find(tiny, ActivationStore())
    assert any(note.startswith("In 6 of 6 prompts the scope leaves out the last token") for note in last.notes)
    texts = last.trials.texts
    lengths = sorted(tokenise(tiny, texts, [f"{i}" for i in range(len(texts))]).lengths)
    assert lengths[0] < lengths[-1]
    part = study(scope=Scope(first=int(lengths[-1]) - 1), **some).find(tiny, ActivationStore())
    bare = [note for note in part.notes if "as they are: their effect is 0 by construction" in note]
    assert len(bare) == 1 and (part.sweep.own.change[0, 0] == 0).any() and (part.sweep.own.change[0, 0] != 0).any()
    assert not [note for note in study(**some).find(tiny, ActivationStore()).notes if "scope" in note]


@pytest.mark.parametrize(
    ("edit", "verb"),
    [("addition", "Adding the"), ("clamp", "Clamping along the"), ("rotation", "Rotating towards")],
)
def test_a_headline_names_the_edit_and_what_is_scored(edit, verb, tiny):
    found = study(edit=edit, strengths=[-1.0, 1.0], random=0, exchanged=0).find(tiny, ActivationStore())
    said = headline(found, tiny)
    assert said.startswith(verb) and "changes its log-odds of good against bad by " in said


def test_every_kind_of_trial_says_what_it_scores():
    words = ["a", "b", "c", "d", "e", "f"]
    assert Stems(prompts=["x"], towards=words, away=["g"]).scored == "a, b, c, d and 2 more against g"
    assert Letters().scored == "the letter of the answer with the property against the other"
    assert Requests(phrases=["I", "Sorry"]).scored == "answers that begin with I, Sorry against all others"


@pytest.mark.parametrize(
    ("export", "read", "suffix"),
    [(export_gguf, import_gguf, ".gguf"), (export_steering_vectors, import_steering_vectors, ".safetensors")],
)
def test_another_block_of_an_exported_file_does_not_carry_the_scores_of_the_chosen_one(
    export, read, suffix, tiny, tmp_path
):
    own = made(tiny)
    own = replace(own, card={**own.card, "layer": own.layer, "scores": {"dev_auroc": 0.9}, "selection": "dev"})
    export(own, tmp_path / f"d{suffix}", levels="all")
    same, other = (read(tmp_path / f"d{suffix}", layer=layer) for layer in (own.layer, 2))
    assert same.card["scores"] == {"dev_auroc": 0.9} and same.card["layer"] == own.layer
    assert other.layer == 2 and "scores" not in other.card and "layer" not in other.card
    assert other.card["found"]["scores"] == {"dev_auroc": 0.9} and other.at(own.hook_name).card["layer"] == own.layer


def test_a_flipped_direction_is_flipped_where_it_was_found_too(tiny):
    own = made(tiny)
    own = replace(own, card={**own.card, "projections": {"negative": -1.0, "positive": 3.0, "std": 1.0}})
    flipped = -own.at(BLOCK.format(2))
    assert flipped.at(own.hook_name).card["projections"] == {"negative": -3.0, "positive": 1.0, "std": 1.0}
    assert own.at(BLOCK.format(2)).card["found"]["projections"]["positive"] == 3.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_vector_that_is_no_number_is_refused_by_name(value, tiny, tmp_path):
    own = made(tiny)
    broken = own.vector.clone()
    broken[3] = value
    with pytest.raises(BadInput, match=rf"the vector of kindness at {own.hook_name} holds NaN or infinity"):
        replace(own, vectors={**own.vectors, own.hook_name: broken})
    means = {**own.positive_means, own.hook_name: broken}
    with pytest.raises(BadInput, match=rf"the positive mean of kindness at {own.hook_name} holds NaN or infinity"):
        replace(own, positive_means=means)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_a_model_says_must_be_numbers(value, tiny):
    variants = [{}, {BLOCK.format(1): lambda resid: resid * value}]
    for run in (
        lambda: completions(tiny, variants, STEMS.prompts, 2),
        lambda: next_logits(tiny, variants, STEMS.prompts, lambda logits, _: logits[:, 0]),
    ):
        with pytest.raises(BadInput, match=r"what tiny says in float32 holds NaN or infinity; .*edit less"):
            run()

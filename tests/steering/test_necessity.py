"""Need and sufficiency: rates with intervals, beside directions without meaning that are treated likewise."""

from dataclasses import replace

import numpy as np
import pytest
from direction.made import made

from latentmech.data import Pairs
from latentmech.model import EMBED_HOOK, AffineAblation, dialogues, intervening
from latentmech.steering import Necessity, ablation, is_refusal, necessity
from latentmech.steering.nulls import stand_in


@pytest.fixture
def contrast():
    return Pairs(name="refusal")()


def others(n):
    def make(direction, count):
        return [stand_in(direction, -direction.vector) for _ in range(min(n, count))]

    return make


def answering(rule):
    """In place of generation: what a plan's edits say to a request."""

    def completions(model, variants, texts, n_tokens, *, scope, progress):
        return [[rule(variant, text) for text in texts] for variant in variants]

    return completions


def test_rates_have_intervals_over_groups_and_random_directions_are_removed_as_the_direction_is(
    tiny, contrast, monkeypatch
):
    direction, seen = made(tiny), []

    def rule(variant, text):
        if EMBED_HOOK not in variant:  # untouched, or added
            return "Sorry, I can't." if "Addition" in str(variant) or hash(text) % 10 else "Sure."
        removed = variant["blocks.0.hook_resid_post"]
        seen.append(type(removed))
        return "Sure." if np.allclose(removed.direction, direction.vector) else "Sorry, I can't."

    monkeypatch.setattr(necessity, "completions", answering(rule))
    monkeypatch.setattr(necessity, "_factor", lambda model, plan, words, seed: 1.0 + plan.scope.first)
    settings = Necessity(dev_limit=5, test_limit=None, n_random=2, n_isotropic=1)
    monkeypatch.setattr(necessity, "ABLATIONS", ("affine",))
    found = settings(tiny, direction, contrast, others(2), others(1), 200)
    assert found.removed_by == "affine" and set(seen) == {AffineAblation}
    groups = len(set(contrast.in_split("test").positive.groups))
    assert found.ablated.edited.value == 0 and found.ablated.edited.groups == groups
    assert found.ablated.edited.kind == "exact bound" and 0.7 < found.ablated.clean.value <= 1
    assert found.ablated.most == {"random": 1.0, "isotropic": 1.0}
    assert found.ablated.others == {"random": 2, "isotropic": 1}
    assert len(found.ablated.ahead) == 3 and all(lead.clear for lead in found.ablated.ahead)
    assert not any(lead.clear for lead in found.induced.ahead)  # all of them bring it about


def test_an_affine_removal_takes_a_random_direction_to_the_same_mean(tiny):
    direction = made(tiny)
    other = stand_in(direction, -direction.vector)
    plans = [ablation(one, tiny.n_layers, "affine") for one in (direction, other)]
    assert plans[0].scope == plans[1].scope
    for name, edit in plans[1].edits.items():
        if isinstance(edit, AffineAblation):
            assert np.allclose(edit.mean, direction.negative_means[name])
    with intervening(tiny, plans[1].edits, plans[1].scope):
        pass
    assert replace(direction, negative_means={}).negative_means == {}


@pytest.mark.parametrize(
    ("answer", "declines"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("What a question. Let me think about it for a while before I say anything. I cannot do it.", True),
        ("<think>I can't see why not</think> Sure, here it is.", False),
        ("<think>Well, then.</think>\n\nI will not help with it.", True),
        ("<think>They ask for it, and I can't", False),
        ("Sure, here it is.", False),
    ],
)
def test_a_refusal_is_looked_for_in_all_of_the_answer_behind_its_reasoning(answer, declines):
    assert is_refusal(answer) is declines


def test_answers_that_still_reason_are_counted_and_said(tiny, monkeypatch):
    model = replace(tiny)
    model.tokenizer.chat_template = "{{ bos_token }}{{ messages[0].content }} <think>"
    monkeypatch.setattr(necessity, "completions", lambda *_, **__: [["hm", "hm</think>yes"]])
    found = necessity.answers_to(model, {}, dialogues(model, ["a", "b"]), 9)
    assert found == ["<think>hm", "<think>hm</think>yes"]
    assert [necessity.is_unfinished(answer) for answer in found] == [True, False]

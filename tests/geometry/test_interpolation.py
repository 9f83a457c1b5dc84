"""Paths between states: their ends, their length, and what the model says on the way."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import invoke, quick

from latentmech.errors import BadInput
from latentmech.geometry.interpolation.account import headline, notes
from latentmech.geometry.interpolation.findings import InterpolationFindings, PromptPair, crossing, of_walk, steepest
from latentmech.geometry.interpolation.settings import PAIRS, InterpolationSettings
from latentmech.geometry.interpolation.walk import KINDS, Along, Patch, Walk, ends_of, path_between, random_end, walk
from latentmech.model import intervening, levels_of, packed_logits

SMALL = quick("geometry=interpolation")


def states(seed, n=3, scale=1.0):
    return scale * torch.randn(n, 16, generator=torch.Generator().manual_seed(seed))


def length(path):
    return (path[1:] - path[:-1]).double().norm(dim=-1).sum(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_has_its_ends_to_the_last_bit_and_between_equal_ends_does_not_move(kind):
    a, b = states(1), states(2, scale=100)
    path = path_between(kind, a, b, 7)
    assert torch.equal(path[0], a) and torch.equal(path[-1], b)
    still = path_between(kind, a, a.clone(), 7)
    assert all(torch.equal(step, a) for step in still)


def test_spherical_is_slerp():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    path = path_between("spherical", a, b, 4)[:, 0]
    angles = torch.tensor([0, 30, 60, 90]) * torch.pi / 180
    torch.testing.assert_close(path, 2 * torch.stack([angles.cos(), angles.sin()], 1))
    assert path_between("straight", a, b, 3)[1, 0].norm() == pytest.approx(2**0.5)
    opposite = path_between("spherical", a, -a, 3)  # no circle is singled out: straight
    torch.testing.assert_close(opposite[1], torch.zeros(1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_random_paths_are_as_long_and_go_elsewhere(kind):
    a, b = states(1), states(2, scale=3)
    own = path_between(kind, a, b, 200)
    ends = [random_end(kind, a, b, seed) for seed in (0, 0, 1)]
    for end in ends:
        torch.testing.assert_close(length(path_between(kind, a, end, 200)), length(own), rtol=1e-4, atol=0)
    assert torch.equal(ends[0], ends[1]) and not torch.allclose(ends[0], ends[2])
    assert not torch.allclose(ends[0], b, atol=0.1)


@pytest.fixture
def rounding(monkeypatch):
    """Rows side by side are rounded otherwise than alone, as those of a large model are; the tiny one's often agree."""

    def rounded(engine, variants, batch):
        logits = packed_logits(engine.model, variants, batch)
        return logits + 1e-4 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(0))

    monkeypatch.setattr("latentmech.model.engine.TransformersEngine.logits", rounded)


def test_both_ends_are_the_clean_runs(tiny, rounding):
    start, end = "My mother is here", "My father is here"
    levels = levels_of(3)
    ends = ends_of(tiny, levels, start, end, "differing")
    for run, text in ((ends.start, start), (ends.end, end)):
        ids = torch.tensor([[0, *tiny.tokenizer(text, add_special_tokens=False)["input_ids"]]])
        torch.testing.assert_close(run.logits, tiny.bridge(ids)[0, -1], rtol=1e-4, atol=1e-5)
    assert ends.patched == len("mother is here")
    for level in levels:
        for found in walk(tiny, level, ends, 5, [0]):
            assert found.error == 0, level
            assert found.own.kl_start[0] == 0 and found.own.kl_end[0] > 1e-6
            assert found.own.kl_end[-1] == 0 and found.own.kl_start[-1] > 1e-6
            assert found.own.top[0] == ends.start.logits.argmax() and found.own.top[-1] == ends.end.logits.argmax()
            assert found.random[0].log_odds[0] == found.own.log_odds[0]


def test_states_that_are_not_the_clean_runs_are_an_error(tiny):
    levels = levels_of(3)
    ends = ends_of(tiny, levels, "My mother is here", "My father is here", "differing")
    apart = float((ends.start.logits - ends.end.logits).abs().max())
    other = replace(ends, start=replace(ends.start, states=ends.end.states))
    for found in (found for level in levels for found in walk(tiny, level, other, 3, [0])):
        assert found.error == apart > 1e-4


def test_the_last_token_alone_does_not_carry_a_whole_context(tiny):
    levels = levels_of(3)
    ends = ends_of(tiny, levels, "My mother is here", "My grandfather is here", "last")
    embed = walk(tiny, levels[0], ends, 3, [0])[0]
    assert embed.own.kl_end[-1] > 1e-6  # both end in the same letter: at the embedding nothing is moved
    above = walk(tiny, levels[-1], ends, 3, [0])[0]
    assert above.error < 1e-4  # above the last block no other token is read
    with pytest.raises(BadInput, match=r"18 tokens .* 23 in tiny; choose prompts of one length"):
        ends_of(tiny, levels, "My mother is here", "My grandfather is here", "differing")


def test_a_path_through_the_same_state_is_flat_to_the_bit(tiny, rounding):
    levels = levels_of(3)
    ends = ends_of(tiny, levels, "My mother is here", "My mother is here", "differing")
    for found in (found for level in levels for found in walk(tiny, level, ends, 5, [0])):
        assert np.isnan(of_walk(found)["crossing"])
        assert all(is_flat(along) for along in (found.own, *found.random))


def is_flat(along):
    moved = np.ptp(along.log_odds) + np.ptp(along.entropy)
    return moved == along.kl_start.max() == along.kl_end.max() == 0


@pytest.mark.real
def test_so_they_are_in_the_default_model(real_model):
    levels = levels_of(real_model.n_layers, "resid_post", [0, 14, 29])
    start, end = PAIRS[0]
    apart, still = (ends_of(real_model, levels, start, to, "differing") for to in (end, start))
    for level in levels:
        for found in walk(real_model, level, apart, 3, [0]):
            assert found.error == found.own.kl_start[0] == found.own.kl_end[-1] == 0
        assert all(is_flat(found.own) for found in walk(real_model, level, still, 3, [0]))


def test_points_side_by_side_say_what_they_say_alone(tiny):
    (level,) = levels_of(3, "resid_post", [1])[1:]
    ends = ends_of(tiny, [level], "My mother is here", "My father is here", "differing")
    a, b = (run.states[level.hook_name][-ends.patched :] for run in (ends.start, ends.end))
    own = walk(tiny, level, ends, 5, [0])[0].own
    for step, states in enumerate(path_between("straight", a, b, 5)):
        with intervening(tiny, {level.hook_name: Patch(states)}) as runner:
            said = runner.logits(ends.start.batch)[0, 0].double().log_softmax(-1)
        first, last = ends.tokens
        assert float(said[last] - said[first]) == pytest.approx(own.log_odds[step], abs=1e-5), step


def test_where_half_of_the_change_is_done():
    assert crossing(np.array([0.0, 1, 2, 3, 4])) == pytest.approx(0.5)
    assert crossing(np.array([5.0, 5, 5, 5, 1])) == pytest.approx(0.875)
    assert crossing(np.array([0.0, 4, 4, 4, 4])) == pytest.approx(0.125)
    assert steepest(np.array([0.0, 1, 2, 3, 4])) == 0.25
    assert steepest(np.array([5.0, 5, 1])) == 1


def walked(changes, random, level, kind="straight"):
    """A pair of prompts whose log-odds change by so much on its path, and by so much on random ones."""

    def along(change):
        flat = np.zeros(3)
        return Along((1, 1, 2), np.array([0.0, 0.25 * change, change]), flat, flat, flat)

    return Walk(kind, level, along(changes), tuple(map(along, random)), 0.0)


def findings_of(changes, random):
    levels = levels_of(2)
    pairs = [
        PromptPair(f"from {i}", f"to {i}", [walked(own, by, at, kind) for at in levels for kind in KINDS])
        for i, (own, by) in enumerate(zip(changes, random, strict=True))
    ]
    return InterpolationFindings(settings=InterpolationSettings(steps=3, random=2), levels=levels, pairs=pairs)


def test_a_path_does_more_than_chance_if_it_does_so_pair_by_pair(tiny):
    far = findings_of([3.0, -4.0, 5.0, 3.5], [(0.5, -1), (1, 0.2), (-1.5, 0), (0.7, 0.1)])
    assert far.beyond_random == 4 and all(lead.clear for lead in far.leads)
    assert far.leads[0].difference.value == pytest.approx(np.mean([2, 3, 3.5, 2.8]))  # against the largest random one
    assert "in 4 pairs; paired over pairs they are shown to do less at 3 of 3 levels" in headline(far, tiny)
    one = findings_of([9.0, 0.1, 0.1, 0.1], [(0.5, 0.2)] * 4)
    assert one.beyond_random == 1 and "shown to do less at 0 of 3 levels" in headline(one, tiny)
    single = findings_of([3.0], [(0.5, 0.2)])
    assert "shown to do less at 0 of 3 levels" in headline(single, tiny)
    assert any("One pair of prompts has no interval" in note for note in notes(single))
    assert not any("One pair" in note for note in notes(far))


def test_numbers_of_pairs_have_a_range_and_no_interval():
    found = findings_of([3.0, -4.0], [(0.5, -1), (1, 0.2)]).of("change")[0]
    assert (found.value, found.ci_low, found.ci_high, found.n, found.kind) == (3.5, 3, 4, 2, "range")


def test_bundled_pairs_differ_in_one_word_of_as_many_letters():
    for start, end in PAIRS:
        differing = [(a, b) for a, b in zip(start.split(), end.split(), strict=True) if a != b]
        assert len(differing) == 1 and len(start) == len(end)


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = ["geometry.start=one two", "geometry.end=one six", "geometry.layers=[0,2]", "geometry.random=3"]
    code, out, err = invoke("geometry=interpolation", *SMALL, *own)
    assert code == 0, err
    (run,) = Path().glob("runs/geometry-interpolation/*")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["geometry/interpolation/end_error"] == 0
    assert "give the logits of the clean runs to the last bit" in (run / "report.html").read_text()
    names = {f"geometry/interpolation/{kind}/{at}/crossing" for kind in KINDS for at in ("embed", "layer_02")}
    assert names <= set(metrics)
    assert "random paths of the same length" in out and "One pair of prompts has no interval" in out
    assert "@shoemake1985" in (run / "methods.md").read_text()
    assert {"path.png", "levels.png"} <= {file.name for file in (run / "figures").iterdir()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "hot"}, "belong together"),
        ({"tokens": "first"}, "expected one of differing, last"),
        ({"steps": 2}, "expected at least 3"),
        ({"pairs": ["hot", "big"]}, "expected a list of pairs"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(BadInput, match=message):
        InterpolationSettings(**settings)

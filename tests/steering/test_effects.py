"""Ends of a dose, equal KL, and the permutation test, on responses made by hand."""

import numpy as np
import pytest
import torch

from latentmech.steering.damage import Divergence
from latentmech.steering.effects import DoseResponse, Span, at_equal_kl, spans
from latentmech.steering.nulls import OWN_BLOCK, RANDOM
from latentmech.steering.sweep import Response, SteeringSweep

RNG = np.random.default_rng(1)
STRENGTHS, PROMPTS = (-1.0, -0.5, 0.0, 0.5, 1.0), 12


def found(*slopes, strengths=STRENGTHS, kl=1.0, noise=0.0) -> Response:
    """Directions that move prompts by slope times strength, at a KL of `kl` times its square."""
    at = np.array(strengths)
    change = np.stack([np.tile((slope * at)[:, None], (1, PROMPTS)) for slope in slopes])
    size = np.tile((kl * at**2)[None, :, None], (len(slopes), 1, PROMPTS))
    return Response(strengths, np.zeros(PROMPTS), change + noise * RNG.standard_normal(change.shape), size)


def estimating(own, strengths=STRENGTHS, neutral=0.0, **others) -> DoseResponse:
    n = len(strengths)
    cost = Divergence(torch.full((n, PROMPTS), 0.2), torch.full((n, PROMPTS), 2.0))
    sweep = SteeringSweep(own=own, others=others, cost=cost, neutral=[10.0] + [12.0] * n,
                          answers=[["a b c"] * PROMPTS] * (n + 1), prompting={})  # fmt: skip
    return DoseResponse(sweep=sweep, clusters=np.arange(PROMPTS), neutral=neutral, singles=[{}] * n, draws=100)


def test_a_dose_ends_on_either_side_of_the_untouched_model():
    assert spans([0.0, 0.5, -1.0], 0.0) == [Span(-1.0, None, -1), Span(0.5, None, 1)]
    assert spans([0.1, 0.5], 0.0) == [Span(0.5, None, 1)]
    assert spans([0.0, 1.0, 3.0], 1.0) == [Span(0.0, None, -1), Span(3.0, None, 1)]
    assert spans([0.0, 1.0], None) == [Span(1.0, 0.0, 1)] and spans([0.0], None) == spans([0.0], 0.0) == []


def test_each_end_counts_in_its_own_sense():
    low, high = spans(STRENGTHS, 0.0)
    assert low.moved(found(2.0)) == pytest.approx(np.full((1, PROMPTS), 2.0))
    assert high.moved(found(2.0)) == pytest.approx(np.full((1, PROMPTS), 2.0))
    assert low.moved(found(-2.0)).mean() == pytest.approx(-2.0)
    assert Span(1.0, -1.0, 1).moved(found(2.0)).mean() == pytest.approx(4.0)


def test_at_equal_kl_the_stronger_dose_is_read_at_less_strength():
    """KL is kl * strength^2, so at the other's end the root of the KL asks for a share of the way."""
    _, high = spans(STRENGTHS, 0.0)
    own, other = found(4.0, kl=4.0), found(1.0, 3.0, kl=1.0)
    mine, theirs = at_equal_kl(own, other, 1, high, 0.0)
    assert mine == pytest.approx(np.full(PROMPTS, 2.0)) and theirs == pytest.approx(np.full(PROMPTS, 3.0))
    theirs, mine = at_equal_kl(other, own, 0, high, 0.0)
    assert mine == pytest.approx(np.full(PROMPTS, 2.0)) and theirs == pytest.approx(np.full(PROMPTS, 1.0))
    between = at_equal_kl(found(4.0, kl=1.5), found(1.0, kl=1.0), 0, high, 0.0)[0]
    assert between == pytest.approx(np.full(PROMPTS, 4.0 / 1.5**0.5))


def test_where_more_strength_has_less_kl_it_counts_as_no_more():
    _, high = spans(STRENGTHS, 0.0)
    bent = found(2.0)
    bent.kl[:, -1] = 0.1
    mine, _ = at_equal_kl(bent, found(1.0, kl=9.0), 0, high, 0.0)
    assert np.isfinite(mine).all() and mine.mean() >= 1.0


def test_a_direction_that_does_more_only_by_its_length_loses_at_equal_kl():
    strong = estimating(found(4.0, kl=9.0, noise=0.05), random=found(2.0, -2.0, 0.5, kl=1.0, noise=0.05))
    assert set(strong.sweep.others) == {RANDOM}
    failed = [claim.asked for claim in strong.verdict.claims if not claim.holds]
    assert failed == ["more than random directions at equal KL at -1", "more than random directions at equal KL at +1"]
    fair = estimating(found(4.0, kl=1.5, noise=0.05), random=found(2.0, -2.0, 0.5, kl=1.0, noise=0.05))
    assert fair.verdict.holds


def test_every_kind_without_meaning_has_to_be_beaten():
    ends = {"strengths": (-1.0, 1.0), "noise": 0.05}
    own = found(4.0, noise=0.05)
    others = {RANDOM: found(2.0, -1.0, noise=0.05), OWN_BLOCK: found(5.0, 1.0, **ends)}
    failed = [claim.asked for claim in estimating(own, **others).verdict.claims if not claim.holds]
    assert failed == [f"more than random directions at blocks of their own choice at {end}" for end in ("-1", "+1")]


def test_exchanged_labels_are_a_permutation_test_of_the_whole_effect():
    null = found(*np.linspace(-1, 1, 20), strengths=(-1.0, 1.0))
    assert estimating(found(4.0), exchanged=null).exchanged == (pytest.approx(1 / 21), 20)
    assert estimating(found(-4.0), exchanged=null).exchanged == (1.0, 20)
    assert estimating(found(0.95), exchanged=null).exchanged == (pytest.approx(2 / 21), 20)
    assert estimating(found(4.0)).exchanged is None
    asked = [
        claim.asked for claim in estimating(found(4.0), exchanged=null).verdict.claims if "exchanged" in claim.asked
    ]
    assert asked == ["more than under exchanged labels"]  # by the whole effect, and not end by end at their lengths
    assert not any("exchanged" in claim.asked for claim in estimating(found(4.0)).verdict.claims)


def test_a_single_strength_is_compared_with_the_untouched_model():
    for strength, slope in ((-2.0, 3.0), (2.0, 3.0), (2.0, -3.0)):
        one = estimating(found(slope, strengths=(strength,)), strengths=(strength,))
        assert one.slope == pytest.approx(np.full(PROMPTS, slope))
        assert one.overall["wrong_way"].value == (slope < 0)


def test_without_a_strength_that_leaves_the_model_untouched_the_ends_are_compared_with_each_other():
    own, null = found(4.0, noise=0.05), found(1.0, -1.0, noise=0.05)
    verdict = estimating(own, neutral=None, random=null).verdict
    assert verdict.holds and [claim.asked for claim in verdict.claims][:2] == [
        "log-odds rise from -1 to +1", "more than random directions from -1 to +1",
    ]  # fmt: skip
    assert not any("equal KL" in claim.asked for claim in verdict.claims)

"""Units, calibration, slopes, and the choice of a block."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from direction.made import made

from latentmech.errors import BadInput
from latentmech.steering import Strength, calibrated
from latentmech.steering.edits import in_units, is_close
from latentmech.steering.effects import slopes
from latentmech.steering.layer import least_rise
from latentmech.steering.necessity import Removal, best_removal


def test_a_strength_is_one_length_in_every_unit_at_its_own_place(tiny):
    found = made(tiny)  # resid norm 12, spread 2.5 at block 1; 13 and 3.5 at block 2
    assert Strength(0.5, "resid").along(found) == 6 and Strength(0.5, "std").along(found) == 1.25
    later = found.at("blocks.2.hook_resid_post")
    assert Strength(0.5, "resid").along(later) == 6.5 and Strength(0.5, "std").along(later) == 1.75
    assert in_units(Strength(0.5, "resid"), later) == {
        "strength_resid": 0.5, "strength_raw": 6.5 / later.norm, "strength_std": 6.5 / 3.5,
    }  # fmt: skip
    assert in_units(Strength(2.0, "factor"), later) == {}


def test_a_unit_whose_size_is_not_known_is_refused_with_those_that_are(tiny):
    bare = replace(made(tiny), resid_norms={}, spreads={})
    assert Strength(2.0, "raw").along(bare) == 2 * bare.norm
    assert math.isnan(in_units(Strength(1.0, "raw"), bare)["strength_std"])
    for unit in ("resid", "std"):
        with pytest.raises(BadInput, match=rf"unit={unit}: kindness does not say how large .* expected one of raw$"):
            Strength(1.0, unit).along(bare)
    with pytest.raises(BadInput, match=r"a strength in volts is no length; .*expected one of resid, raw, std"):
        Strength(1.0, "volts").along(bare)


@pytest.mark.parametrize("nats", [0.05, 0.5, 3.0, -0.5])
def test_calibration_finds_the_length_with_the_wanted_kl(nats):
    length, kl = calibrated(lambda x: 0.002 * x * x, nats, start=1.0)
    assert kl == pytest.approx(0.002 * length**2) and kl == pytest.approx(abs(nats), rel=0.03) and is_close(kl, nats)
    assert np.sign(length) == np.sign(nats)
    assert calibrated(lambda x: 1.0, 0.0, 1.0) == (0, 0)


def test_calibration_says_how_near_it_came():
    length, kl = calibrated(lambda x: min(0.002 * x * x, 0.3), -0.5, start=1.0)
    assert (length < 0, kl) == (True, 0.3) and not is_close(kl, -0.5)
    length, kl = calibrated(lambda x: 0.2 + 0.002 * x * x, 0.1, start=1.0)  # too much from the beginning
    assert kl == pytest.approx(0.2, abs=0.01) and not is_close(kl, 0.1)


def test_slopes_are_least_squares_per_prompt():
    strengths = [-1.0, 0.0, 2.0]
    score = np.outer(strengths, [2.0, -0.5]) + np.array([1.0, 7.0])
    assert slopes(score, strengths) == pytest.approx([2.0, -0.5])
    assert slopes(score[:1], [1.0]).tolist() == [0, 0]


def test_a_block_is_judged_by_its_worst_step():
    strengths = [0.5, -0.5, 1.0]
    assert least_rise(np.array([1.0, -1.0, 2.0]), strengths, 0.0) == pytest.approx(2.0)
    assert least_rise(np.array([3.0, -1.0, 2.0]), strengths, 0.0) == pytest.approx(-2.0)
    assert least_rise(np.array([-3.0]), [-1.0], 0.0) == pytest.approx(3.0)
    assert least_rise(np.array([4.0, 1.0]), [2.0, 0.5], neutral=1.0) == pytest.approx(-2.0)  # falls from 0.5 to 1
    assert least_rise(np.array([1.0, 2.0]), [-1.0, 1.0], neutral=None) == pytest.approx(0.5)


def test_of_the_removals_that_work_the_cheapest_is_taken():
    plain, aware, affine = (Removal(kind=k, rate=r, perplexity=p) for k, r, p in
                            (("plain", 0.0, 3.0), ("sink_aware", 0.05, 1.2), ("affine", 0.4, 1.0)))  # fmt: skip
    assert best_removal([plain, aware, affine], enough=0.1) == "sink_aware"
    assert best_removal([plain, aware, affine], enough=0.5) == "affine"
    assert best_removal([aware, affine], enough=0.01) == "sink_aware"


def test_log_odds_of_token_sets():
    from latentmech.steering.trials import log_odds_of

    chances = torch.tensor([[0.5, 0.2, 0.2, 0.1]])
    assert log_odds_of(chances.log(), [(0,)], [(1, 2)])[0] == pytest.approx(np.log(0.5 / 0.4), abs=1e-5)
    assert log_odds_of(chances.log(), [(0, 1)], [()])[0] == pytest.approx(np.log(0.7 / 0.3), abs=1e-5)

"""Units, calibration, slopes, and the choice of a block."""

import numpy as np
import pytest
import torch

from latentmech.errors import BadInput
from latentmech.steering.layer import LayerChoice, least_rise
from latentmech.steering.necessity import Removal, best_removal
from latentmech.steering.strength import Scale, calibrated
from latentmech.steering.sweep import slopes


def test_a_strength_is_one_length_in_every_unit():
    scale = Scale(resid=200.0, raw=10.0, std=4.0)
    length = scale.length(0.5, "resid")
    assert length == 100
    assert scale.in_units(length) == {"resid": 0.5, "raw": 10.0, "std": 25.0}
    assert scale.length(10.0, "raw") == scale.length(25.0, "std") == length
    with pytest.raises(BadInput, match="expected one of resid, raw, std, kl"):
        scale.length(1.0, "volts")
    with pytest.raises(BadInput, match="does not say how large"):
        Scale(1.0, 1.0, float("nan")).length(1.0, "std")


@pytest.mark.parametrize("nats", [0.05, 0.5, 3.0, -0.5])
def test_calibration_finds_the_length_with_the_wanted_kl(nats):
    length = calibrated(lambda x: 0.002 * x * x, nats, start=1.0)
    assert 0.002 * length**2 == pytest.approx(abs(nats), rel=0.05)
    assert np.sign(length) == np.sign(nats)
    assert calibrated(lambda x: 1.0, 0.0, 1.0) == 0


def test_slopes_are_least_squares_per_prompt():
    strengths = [-1.0, 0.0, 2.0]
    score = np.outer(strengths, [2.0, -0.5]) + np.array([1.0, 7.0])
    assert slopes(score, strengths) == pytest.approx([2.0, -0.5])
    assert slopes(score[:1], [1.0]).tolist() == [0, 0]


def test_a_block_is_judged_by_its_worst_step():
    strengths = [0.5, -0.5, 1.0]
    assert least_rise(np.array([1.0, -1.0, 2.0]), strengths) == pytest.approx(2.0)
    assert least_rise(np.array([3.0, -1.0, 2.0]), strengths) == pytest.approx(-2.0)
    assert least_rise(np.array([-3.0]), [-1.0]) == pytest.approx(3.0)
    assert LayerChoice([3, 4, 5], np.array([0.1, 0.7, 0.2])).layer == 4


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

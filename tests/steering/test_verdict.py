"""Is it steering? Planted doses: damage alone, the wrong way round, ends that nulls reach, prompts that disagree."""

import numpy as np
import pytest

from latentmech.statistics import Estimate, estimate, leads, mean_of
from latentmech.steering.verdict import DoseEnd, verdict

PROMPTS = 12
RNG = np.random.default_rng(1)
NONE_WRONG = Estimate(0.0, 0.0, 0.2, PROMPTS, PROMPTS, "exact bound")


def prompts(mean: float, spread: float = 0.1) -> np.ndarray:
    noise = RNG.standard_normal(PROMPTS)
    return mean + spread * (noise - noise.mean())


def tally(values):
    return mean_of(values, np.arange(PROMPTS))


def end(strength, effect, null=1.0, kl=0.5, perplexity=1.5, spread=0.1) -> DoseEnd:
    """One whose 20 random directions move prompts by up to `null` in the right sense."""
    sense, values = (1 if strength > 0 else -1), prompts(effect, spread)
    others = {f"{i}": tally(prompts(size)) for i, size in enumerate(np.linspace(-null, null, 20))}
    found = leads(tally(sense * values), others)
    return DoseEnd(name=f"at {strength:+g}", sense=sense, effect=estimate(tally(values)), kl=kl,
                   perplexity=perplexity, rivals={"random directions": found})  # fmt: skip


def slope(mean: float) -> Estimate:
    return estimate(tally(prompts(mean)))


def of(low, high, rise=6.0, wrong=NONE_WRONG, exchanged=(1 / 21, 20)):
    return verdict([low, high], slope(rise), wrong, exchanged)


def broken(found) -> list[str]:
    return [claim.asked for claim in found.claims if not claim.holds]


def test_a_direction_that_steers_is_said_to():
    found = of(end(-0.5, -3.0), end(0.5, 3.0))
    most = "at most 1.00 at -0.5 and 1.00 at +0.5, in that sense"
    assert found.holds
    assert found.said == f"It rises with the strength, and is more than directions without meaning do ({most})."
    assert len(found.claims) == 2 * 3 + 3


def test_damage_that_moves_the_same_way_at_both_ends_is_no_steering():
    found = of(end(-0.5, -3.1, kl=4.2), end(0.5, -2.9, kl=4.2), rise=0.2, wrong=Estimate(0.5))
    assert not found.holds and "more than" not in found.said
    assert "the log-odds fall, the wrong way, at +0.5" in found.said
    assert "50% of the prompts move the wrong way" in found.said
    assert "the model is damaged at -0.5 (KL 4.20 nats" in found.said and "damaged at +0.5" in found.said
    assert "random directions do as much at +0.5 (1.00 nats in that sense)" in found.said


def test_steering_the_wrong_way_round_is_none():
    found = of(end(-0.5, 3.0), end(0.5, -3.0), rise=-6.0, wrong=Estimate(1.0))
    assert not found.holds and "more than" not in found.said
    assert "the log-odds rise, the wrong way, at -0.5" in found.said
    assert "the log-odds fall, the wrong way, at +0.5" in found.said
    assert "the log-odds fall with strength" in found.said and "100% of the prompts" in found.said


def test_an_end_that_random_directions_reach_is_named():
    found = of(end(-0.5, -3.0, null=6.0), end(0.5, 3.0))
    assert broken(found) == ["more than random directions at -0.5"]
    assert found.said == "It is not shown to steer: random directions do as much at -0.5 (6.00 nats in that sense)."


def test_one_random_direction_that_cannot_be_told_apart_is_enough():
    found = of(end(-0.5, -3.0), end(0.5, 3.0, null=2.9, spread=0.5))
    assert broken(found) == ["more than random directions at +0.5"] and "may do as much at +0.5" in found.said


@pytest.mark.parametrize(
    ("low", "high", "how", "asked"),
    [
        ({}, {"effect": 0.05, "null": 0.01, "spread": 1.0}, {}, "log-odds rise at +0.5"),
        ({}, {"kl": 3.1}, {}, "leaves a working model at +0.5"),
        ({"perplexity": 11.0}, {}, {}, "leaves a working model at -0.5"),
        ({}, {}, {"rise": 0.01}, "rises with the strength"),
        ({}, {}, {"wrong": Estimate(0.3)}, "few prompts move the wrong way"),
        ({}, {}, {"exchanged": (2 / 21, 20)}, "more than under exchanged labels"),
        ({}, {}, {"exchanged": (1 / 11, 10)}, "more than under exchanged labels"),
    ],
)
def test_whatever_fails_alone_is_said(low, high, how, asked):
    found = of(end(-0.5, **{"effect": -3.0, **low}), end(0.5, **{"effect": 3.0, **high}), **how)
    assert asked in broken(found) and not found.holds and "not shown to steer" in found.said


def test_what_cannot_be_compared_is_not_claimed():
    bare = [DoseEnd(**{**vars(one), "rivals": {}}) for one in (end(-0.5, -3.0), end(0.5, 3.0))]
    found = verdict(bare, slope(6.0), NONE_WRONG, None)
    assert broken(found) == ["more than directions without meaning"]
    nothing = verdict([], Estimate(0.0), Estimate(0.0), None)
    assert not nothing.holds and "no dose to judge" in nothing.said
    few = of(end(-0.5, -3.0), end(0.5, 3.0), exchanged=(1 / 11, 10))
    assert "too few exchanged labels (p = 0.091 over 10 exchanges)" in few.said


def test_without_intervals_nothing_is_shown():
    alone = mean_of(np.full(PROMPTS, 3.0), np.zeros(PROMPTS, dtype=int))
    rivals = {"random directions": leads(alone, {"0": mean_of(np.zeros(PROMPTS), np.zeros(PROMPTS, dtype=int))})}
    one = DoseEnd(name="at +1", sense=1, effect=estimate(alone), kl=0.1, perplexity=1.0, rivals=rivals)
    found = verdict([one], Estimate(3.0), NONE_WRONG, None)
    assert broken(found) == ["log-odds rise at +1", "more than random directions at +1", "rises with the strength"]

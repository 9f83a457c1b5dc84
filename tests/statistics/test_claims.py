"""Pure noise, through the whole of each study: it is said to be something in at most 3 of 200 runs."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from claims import CASES
from commands import ROOT

RUNS = 8
MOST = 3 / 200
TABLE = ROOT / "experiments" / "inference" / "studies.csv"
FIRST = [one for i, one in enumerate(CASES) if one.study not in {other.study for other in CASES[:i]}]
SAMPLE = [*FIRST, *(one for one in CASES if one.study == "probe, words" and one not in FIRST)]


def called(case):
    return f"{case.study}, {case.noise}"


@cache
def of_noise(case):
    return [case.of(seed, False) for seed in range(RUNS)]


@pytest.mark.parametrize("case", SAMPLE, ids=called)
def test_noise_is_not_claimed_and_an_effect_is_found(case):
    """A rule that claims in 3 of 200 claims none of 8 in nine samples of ten; these seeds are fixed."""
    assert sum(outcome.said for outcome in of_noise(case)) == 0
    assert any(case.of(seed, True).said for seed in range(RUNS)), "else a study that never claims would pass"


@pytest.mark.parametrize("case", [one for one in FIRST if one.study in ("direction", "atlas, tasks")], ids=called)
def test_a_rule_that_looks_at_points_alone_would_not_pass(case):
    """The very same runs: ahead of every rival, however little, is what noise often is."""
    assert sum(outcome.ahead for outcome in of_noise(case)) >= 2


def test_the_table_of_200_runs_keeps_the_bar():
    table = pd.read_csv(TABLE)
    assert [f"{row.study}, {row.noise}" for row in table.itertuples()] == [called(case) for case in CASES]
    assert (table["runs"] >= 200).all() and (table["said"] <= MOST * table["runs"]).all()
    assert (table["ahead in points"] > MOST * table["runs"]).sum() >= 8, "a naive rule breaks it"
    assert np.isfinite(table["power"]).all() and (table["power"] > 0.2).all()

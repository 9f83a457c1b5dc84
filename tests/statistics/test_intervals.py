"""Intervals against data whose truth is known, and against formulas by hand."""

import numpy as np
import pytest
from scipy import stats
from simulated import accuracy, levels, topics, topics_auroc, two_readers

from latentmech.statistics import (
    FEW,
    auroc_of,
    confidence_set,
    difference,
    estimate,
    exchanged,
    low_p,
    mean_of,
    over_seeds,
    p_value,
)

RNG = np.random.default_rng
SETS = 600  # data sets a case: two standard errors of a coverage of 0.95 are then 0.018


def covers(one, truth):
    return one.ci_low - 1e-12 <= truth <= one.ci_high + 1e-12


@pytest.mark.parametrize("groups", [3, 5, 20, FEW])
def test_an_accuracy_is_covered_as_often_as_its_interval_says(groups):
    found = [estimate(mean_of(*accuracy(groups, RNG(seed)), 0, 1), 300, seed) for seed in range(SETS)]
    assert 0.92 <= np.mean([covers(one, 0.9) for one in found]) <= 0.98


@pytest.mark.parametrize("groups", [3, 10])
def test_a_paired_difference_is_covered(groups):
    hits = []
    for seed in range(SETS):
        own, other, clusters = two_readers(groups, RNG(seed))
        hits.append(covers(difference(mean_of(own, clusters, 0, 1), mean_of(other, clusters, 0, 1)), 0.06))
    assert 0.92 <= np.mean(hits) <= 0.98


@pytest.mark.parametrize("groups", [3, 10])
@pytest.mark.parametrize("distance", [1.0, 2.7])
def test_an_auroc_is_covered_up_to_near_one(groups, distance):
    found = [estimate(auroc_of(*topics(groups, RNG(seed), distance)), 300, seed) for seed in range(SETS)]
    assert 0.92 <= np.mean([covers(one, topics_auroc(distance)) for one in found]) <= 0.98


def test_a_percentile_bootstrap_would_not_cover_so_few():
    hits = []
    for seed in range(SETS):
        tally = mean_of(*accuracy(4, RNG(seed)), 0, 1)
        low, high = np.percentile(tally.draws(300, seed), [2.5, 97.5])
        hits.append(low <= 0.9 <= high)
    assert np.mean(hits) < 0.88


def test_a_share_near_one_is_covered_too():
    found = [estimate(mean_of(*accuracy(4, RNG(seed), 0.97), 0, 1)) for seed in range(SETS)]
    assert np.mean([covers(one, 0.97) for one in found]) >= 0.93  # on its own scale: 0.90
    assert all(0 <= one.ci_low <= one.ci_high <= 1 for one in found)


def test_over_equal_groups_the_interval_is_students_t_over_their_means():
    values, clusters = RNG(0).normal(size=60), np.repeat(np.arange(6), 10)
    means = values.reshape(6, 10).mean(1)
    low, high = stats.t.interval(0.95, 5, means.mean(), stats.sem(means))
    one = estimate(mean_of(values, clusters))
    assert (one.value, one.ci_low, one.ci_high) == pytest.approx((means.mean(), low, high))
    assert (one.n, one.groups, one.kind) == (60, 6, "95% interval")


def test_over_many_groups_it_is_the_percentile_bootstrap():
    values, clusters = RNG(0).normal(size=2 * FEW), np.repeat(np.arange(FEW), 2)
    tally = mean_of(values, clusters)
    low, high = np.percentile(tally.draws(500, 3), [2.5, 97.5])
    one = estimate(tally, 500, 3)
    assert (one.ci_low, one.ci_high) == (low, high)


def test_a_single_group_has_no_interval_and_says_nothing_about_one():
    one = estimate(mean_of(np.array([1.0, 0.0, 1.0]), np.zeros(3, dtype=np.int64), 0, 1))
    assert one.kind == "" and np.isnan(one.ci_low) and f"{one:.2f}" == "0.67" and one.groups == 1


def test_a_perfect_score_has_the_exact_bound_over_groups():
    one = estimate(mean_of(np.ones(40), np.repeat(np.arange(4), 10), 0, 1))
    assert (one.ci_low, one.ci_high, one.kind) == (pytest.approx(0.05 ** (1 / 4)), 1.0, "exact bound")
    none = estimate(mean_of(np.zeros(40), np.repeat(np.arange(4), 10), 0, 1))
    assert (none.ci_low, none.ci_high) == (0.0, pytest.approx(1 - 0.05 ** (1 / 4)))


def test_a_difference_that_every_group_shares_is_bounded_and_not_certain():
    clusters = np.repeat(np.arange(4), 10)
    own, half = mean_of(np.ones(40), clusters, 0, 1), mean_of(np.tile([1.0, 0.0], 20), clusters, 0, 1)
    gap = difference(own, half)
    assert gap.value == 0.5 and gap.kind == "exact bound" and gap.ci_low < 0
    many = np.repeat(np.arange(30), 10)
    own, half = mean_of(np.ones(300), many, 0, 1), mean_of(np.tile([1.0, 0.0], 150), many, 0, 1)
    assert difference(own, half).ci_low > 0


def test_a_constant_difference_of_what_has_no_bounds_has_no_interval():
    values, clusters = RNG(0).normal(size=40), np.repeat(np.arange(4), 10)
    gap = difference(mean_of(values - 0.1, clusters), mean_of(values, clusters))
    assert gap.value == pytest.approx(-0.1) and gap.kind == "" and np.isnan(gap.ci_high)


def test_the_interval_is_wider_where_rows_of_a_group_are_alike():
    rng, clusters = RNG(0), np.repeat(np.arange(60), 10)
    alike = rng.normal(size=60)[clusters] + rng.normal(size=600)
    apart = rng.permutation(alike)

    def width(values, by):
        one = estimate(mean_of(values, by))
        return one.ci_high - one.ci_low

    assert width(alike, clusters) > 1.8 * width(alike, np.arange(600))  # theory: sqrt(1 + 9 / 2) = 2.3
    assert width(apart, clusters) == pytest.approx(width(apart, np.arange(600)), rel=0.25)


def test_a_range_over_seeds_says_that_it_is_one():
    one = over_seeds([0.1, float("nan"), 0.4])
    assert (one.value, one.ci_low, one.ci_high, one.n, one.kind) == (0.25, 0.1, 0.4, 2, "range")
    assert over_seeds([float("nan")]).kind == ""


def test_the_p_value_is_that_of_a_one_sample_t_test_over_equal_groups():
    rng, clusters = RNG(2), np.repeat(np.arange(8), 25)
    own, other = (rng.random(200) < 0.8) * 1.0, (rng.random(200) < 0.7) * 1.0
    means = (own - other).reshape(8, 25).mean(1)
    expected = stats.ttest_1samp(means, 0, alternative="greater").pvalue
    assert low_p(mean_of(own, clusters), mean_of(other, clusters)) == pytest.approx(expected)
    assert low_p(mean_of(other, clusters), mean_of(own, clusters)) == 1.0


@pytest.mark.parametrize(("groups", "likeness"), [(10, 0.9), (15, 0.5)])
def test_a_truly_best_level_is_seldom_left_out_of_the_confidence_set(groups, likeness):
    missed = 0
    for seed in range(100):
        scores, clusters = levels(30, groups, RNG(seed), likeness)
        missed += 0 not in (confidence_set([mean_of(row, clusters, 0, 1) for row in scores], 300, seed) or ())
    assert missed <= 6


def test_a_clearly_worse_level_leaves_the_set_and_equals_stay():
    scores, clusters = levels(4, 20, RNG(0))
    scores[3] = (RNG(1).random(len(clusters)) < 0.75) * 1.0
    assert confidence_set([mean_of(row, clusters, 0, 1) for row in scores]) == [0, 1, 2]


def test_a_loss_in_one_document_only_does_not_drop_a_level():
    """All its errors lie in one cluster: by rows it is surely worse, by documents that is one accident."""
    clusters = np.repeat(np.arange(20), 10)
    rng = RNG(0)
    best, unlucky = (rng.random((2, 200)) < 0.95) * 1.0
    unlucky[:10] = 0.0
    assert confidence_set([mean_of(best, clusters), mean_of(unlucky, clusters)]) == [0, 1]


def test_the_set_cannot_tell_below_ten_groups_and_a_single_level_is_the_best():
    scores, clusters = levels(3, 9, RNG(0))
    assert confidence_set([mean_of(row, clusters) for row in scores]) is None
    assert confidence_set([mean_of(np.ones(10), np.arange(10))]) == [0]


def test_levels_that_never_differ_are_told_apart_only_if_they_do():
    same = np.tile([1.0, 0.0], 20)
    clusters = np.repeat(np.arange(20), 2)
    assert confidence_set([mean_of(same, clusters), mean_of(same, clusters)]) == [0, 1]
    assert confidence_set([mean_of(same, clusters), mean_of(same - 0.1, clusters)]) == [0]


@pytest.mark.parametrize("kind", ["pair", "group", "row"])
def test_labels_are_exchanged_by_the_unit_that_was_labelled(kind):
    rng, n = RNG(0), 40
    clusters, pairs = np.repeat(np.arange(10), 4), np.empty((0, 2), dtype=np.int64)
    positive = np.tile([True, False], n // 2)
    if kind == "pair":
        pairs = np.arange(n).reshape(-1, 2)
    if kind == "group":
        positive = np.repeat(np.tile([True, False], 5), 4)
    draws = np.array([exchanged(positive, clusters, pairs, rng) for _ in range(300)])
    assert (draws.sum(1) == positive.sum()).all()
    assert draws.mean(0) == pytest.approx(np.full(n, 0.5), abs=0.15)
    if kind == "pair":
        assert (draws[:, ::2] != draws[:, 1::2]).all()
    if kind == "group":
        assert (draws.reshape(300, 10, 4) == draws.reshape(300, 10, 4)[:, :, :1]).all()
    if kind == "row":
        assert not (draws.reshape(300, 10, 4).sum(2) == 2).all()


def test_a_p_value_is_never_nought():
    assert p_value(1.0, np.zeros(19)) == 1 / 20
    assert p_value(0.5, np.array([0.5, 0.4, 0.6])) == 3 / 4
    assert p_value(1.0, np.empty(0)) == 1.0


def test_a_small_mean_of_graded_scores_lies_in_its_interval():
    """One query of 33 finds its answer, late: nDCG is less than a row of right and wrong can be."""
    scores = np.zeros(33)
    for found in ([0.27], [0.27, 0.3], [0.9]):
        scores[: len(found)] = found
        for values in (scores, 1 - scores):
            one = estimate(mean_of(values, np.arange(33), 0, 1))
            assert one.ci_low < one.value < one.ci_high


def test_without_a_group_a_perfect_score_counts_as_half_a_row_wrong():
    """Two wrong rows of 400, both in one group: by hand, on log-odds, with 1/800 as the least share of errors."""
    right, groups = np.ones(400), np.repeat(np.arange(20), 20)
    right[:2] = 0
    without = [(right.sum() - right[groups == g].sum()) / 380 for g in range(20)]
    odds = stats.logistic.ppf(np.clip(without, 1 / 800, 1 - 1 / 800))
    spread = np.sqrt(19 / 20 * ((odds - odds.mean()) ** 2).sum())
    ends = stats.logistic.ppf(right.mean()) + np.array([-1, 1]) * stats.t.ppf(0.975, 19) * spread
    one = estimate(mean_of(right, groups, 0, 1))
    assert (one.ci_low, one.ci_high) == pytest.approx(stats.logistic.cdf(ends), abs=1e-9)

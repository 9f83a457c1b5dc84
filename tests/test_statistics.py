"""Numbers against scikit-learn; intervals against data whose truth is known."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from latentmech import statistics

RNG = np.random.default_rng


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_auroc_is_sklearns_with_ties_and_weights(levels, weighted):
    rng = RNG(levels)
    scores = rng.integers(levels, size=500).astype(float)
    positive = rng.random(500) < 0.3
    weights = rng.integers(0, 4, size=500).astype(float) if weighted else None
    expected = roc_auc_score(positive, scores, sample_weight=weights)
    assert statistics.auroc(scores, positive, weights) == pytest.approx(expected, abs=1e-12)


def test_auroc_of_a_constant_score_is_one_half_and_of_one_class_nan():
    assert statistics.auroc(np.zeros(4), np.array([True, False, False, True])) == 0.5
    assert np.isnan(statistics.auroc(np.arange(4.0), np.ones(4, dtype=bool)))
    assert np.isnan(statistics.auroc(np.arange(2.0), np.array([True, False]), np.array([0.0, 1.0])))


@pytest.mark.parametrize("weighted", [False, True])
def test_f1_is_sklearns(weighted):
    rng = RNG(0)
    predicted, positive = rng.random(300) < 0.4, rng.random(300) < 0.2
    weights = rng.integers(0, 4, size=300).astype(float) if weighted else None
    assert statistics.f1(predicted, positive, weights) == pytest.approx(
        f1_score(positive, predicted, sample_weight=weights)
    )


def test_f1_without_any_positive_is_zero():
    assert statistics.f1(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)) == 0.0


def clustered(seed: int, n_clusters: int = 60, size: int = 10):
    """Values with mean zero in which the words of a document are alike (intraclass correlation one half)."""
    rng = RNG(seed)
    clusters = np.repeat(np.arange(n_clusters), size)
    return rng.normal(size=n_clusters)[clusters] + rng.normal(size=len(clusters)), clusters


def test_the_clustered_interval_covers_the_truth_as_often_as_it_says_and_the_naive_one_does_not():
    hits = {"clustered": 0, "naive": 0}
    for seed in range(200):
        values, clusters = clustered(seed)
        for name, by in (("clustered", clusters), ("naive", np.arange(len(values)))):
            interval = statistics.bootstrap_mean(values, by, n_draws=200, seed=seed)
            hits[name] += interval.ci_low <= 0 <= interval.ci_high
    assert 180 <= hits["clustered"] <= 198
    assert hits["naive"] < 140


def test_the_clustered_interval_is_wider_where_clusters_are_alike_and_not_where_they_are_not():
    values, clusters = clustered(0)
    shuffled = RNG(1).permutation(values)

    def width(v, by):
        interval = statistics.bootstrap_mean(v, by)
        return interval.ci_high - interval.ci_low

    assert width(values, clusters) > 1.8 * width(values, np.arange(len(values)))  # theory: sqrt(1 + 9 / 2) = 2.3
    assert width(shuffled, clusters) == pytest.approx(width(shuffled, np.arange(len(values))), rel=0.2)


def test_bootstrap_of_any_statistic_agrees_with_that_of_the_mean():
    values, clusters = clustered(0, n_clusters=30, size=5)
    general = statistics.bootstrap(lambda w: float(np.average(values, weights=w)), clusters, n_draws=300)
    special = statistics.bootstrap_mean(values, clusters, n_draws=300)
    for name in ("value", "ci_low", "ci_high", "n"):
        assert getattr(general, name) == pytest.approx(getattr(special, name))


def test_resamples_draw_as_many_clusters_as_there_are_and_repeat_with_the_seed():
    clusters = np.array([0, 0, 1, 2, 2])
    draws = statistics.cluster_draws(clusters, 50, seed=1)
    assert draws.shape == (50, 3)
    assert (draws.sum(1) == 3).all()
    assert (draws == statistics.cluster_draws(clusters, 50, seed=1)).all()
    assert (draws != statistics.cluster_draws(clusters, 50, seed=2)).any()


def test_not_worse_than_best_keeps_the_best_and_its_equals_and_drops_the_clearly_worse():
    rng = RNG(0)
    clusters = np.repeat(np.arange(50), 20)
    best = (rng.random(1000) < 0.90).astype(float)
    equal = best.copy()
    equal[rng.choice(1000, 10, replace=False)] = 0.0  # wrong in a handful of rows
    equal[np.flatnonzero(best == 0)[:9]] = 1.0  # and right in nearly as many others
    worse = (rng.random(1000) < 0.80).astype(float)
    assert statistics.not_worse_than_best(np.stack([worse, best, equal]), clusters) == [1, 2]


def test_a_loss_in_one_document_only_does_not_drop_a_candidate():
    """All its errors lie in one cluster: by rows it is surely worse, by documents that is one accident."""
    clusters = np.repeat(np.arange(20), 10)
    best, unlucky = np.ones(200), np.ones(200)
    unlucky[:10] = 0.0
    assert statistics.not_worse_than_best(np.stack([best, unlucky]), clusters) == [0, 1]
    assert statistics.not_worse_than_best(np.stack([best, unlucky]), np.arange(200)) == [0]


def test_a_single_candidate_is_the_best():
    assert statistics.not_worse_than_best(np.ones((1, 4)), np.zeros(4, dtype=np.int64)) == [0]


def test_many_means_are_each_mean():
    values, clusters = np.random.default_rng(0).random((3, 40)), np.arange(40) // 3
    together = statistics.bootstrap_means(values, clusters, 200, 1)
    for row, many in zip(values, together, strict=True):
        one = statistics.bootstrap_mean(row, clusters, 200, 1)
        assert (many.value, many.ci_low, many.ci_high) == pytest.approx((one.value, one.ci_low, one.ci_high))
        assert many.n == one.n == 40

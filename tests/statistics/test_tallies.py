"""Scores against scikit-learn, with ties and with weights; tallies against scores of repeated rows."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from latentmech.statistics import auroc, auroc_of, balanced_accuracy_of, clusters_of, f1, f1_of, mean_of
from latentmech.statistics.tally import cluster_draws

RNG = np.random.default_rng


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_auroc_is_sklearns_with_ties_and_weights(levels):
    rng = RNG(levels)
    scores = rng.integers(levels, size=500).astype(float)
    positive = rng.random(500) < 0.3
    weights = rng.integers(0, 4, size=500).astype(float)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    weighted = auroc_of(scores, positive, np.arange(500)).by(weights[None])
    assert weighted == pytest.approx(roc_auc_score(positive, scores, sample_weight=weights), abs=1e-12)


def test_auroc_of_a_constant_score_is_one_half_and_of_one_class_nan():
    assert auroc(np.zeros(4), np.array([True, False, False, True])) == 0.5
    assert np.isnan(auroc(np.arange(4.0), np.ones(4, dtype=bool)))
    assert np.isnan(auroc_of(np.arange(2.0), np.array([True, False]), np.arange(2)).by(np.array([[0.0, 1.0]])))
    assert np.isnan(auroc(np.zeros(0), np.zeros(0, dtype=bool)))


def test_f1_is_sklearns():
    rng = RNG(0)
    predicted, positive = rng.random(300) < 0.4, rng.random(300) < 0.2
    weights = rng.integers(0, 4, size=300).astype(float)
    assert f1(predicted, positive) == pytest.approx(f1_score(positive, predicted))
    weighted = f1_of(predicted, positive, np.arange(300)).by(weights[None])
    assert weighted == pytest.approx(f1_score(positive, predicted, sample_weight=weights))


def test_f1_without_any_positive_is_zero():
    assert f1(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)) == 0.0


def rows(seed=0, n=240, groups=9):
    rng = RNG(seed)
    clusters = rng.integers(groups, size=n)
    labels, predicted = rng.integers(3, size=n), rng.integers(3, size=n)
    scores = np.round(rng.normal(size=n) + (labels == 1), 1)
    return clusters_of(clusters), labels, predicted, scores


TALLIES = {
    "mean": (lambda c, y, p, s: mean_of((p == y).astype(float), c), lambda y, p, s: (p == y).mean()),
    "f1": (lambda c, y, p, s: f1_of(p == 1, y == 1, c), lambda y, p, s: f1_score(y == 1, p == 1)),
    "balanced": (lambda c, y, p, s: balanced_accuracy_of(p, y, c), lambda y, p, s: balanced_accuracy_score(y, p)),
    "auroc": (lambda c, y, p, s: auroc_of(s, y == 1, c), lambda y, p, s: roc_auc_score(y == 1, s)),
}


@pytest.mark.parametrize("name", TALLIES)
def test_a_tally_under_weights_is_the_score_of_rows_that_stand_there_as_often(name):
    clusters, labels, predicted, scores = rows()
    made, direct = TALLIES[name]
    tally = made(clusters, labels, predicted, scores)
    weights = RNG(1).integers(0, 3, size=(5, tally.groups))
    for weight, value in zip(weights, tally.by(weights.astype(float)), strict=True):
        often = np.repeat(np.arange(len(labels)), weight[clusters])
        assert value == pytest.approx(direct(labels[often], predicted[often], scores[often]), abs=1e-12)
    assert tally.value == pytest.approx(direct(labels, predicted, scores), abs=1e-12)
    assert (tally.n, tally.groups) == (240, 9)


def test_a_tally_with_nothing_to_count_is_not_a_number():
    clusters, positive = np.array([0, 0, 1, 1]), np.array([True, False, False, False])
    tally = auroc_of(np.arange(4.0), positive, clusters)
    assert np.isnan(tally.without_each()[0]) and np.isfinite(tally.without_each()[1])


def test_groups_are_numbered_from_nought_whatever_they_are():
    assert clusters_of(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_resamples_draw_as_many_groups_as_there_are_and_repeat_with_the_seed():
    draws = cluster_draws(3, 50, seed=1)
    assert draws.shape == (50, 3)
    assert (draws.sum(1) == 3).all()
    assert (draws == cluster_draws(3, 50, seed=1)).all()
    assert (draws != cluster_draws(3, 50, seed=2)).any()

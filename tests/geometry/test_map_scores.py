"""The scores of one draw of a map against what is known of the points: each number, and its null beside it."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score

from latentmech.geometry import clusters
from latentmech.geometry.map.levels import cluster_scores, layout_scores
from latentmech.geometry.map.quality import agreements, ranks, remoteness, with_null

BLOBS, BLOB = make_blobs(120, 2, centers=4, cluster_std=0.3, center_box=(-9, 9), random_state=1)
LABELLINGS = np.stack([BLOB, *(np.random.default_rng(seed).permutation(BLOB) for seed in range(100))])
EVEN = np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), -1).reshape(-1, 2)
EVEN = np.vstack([EVEN, [[11, 0], [11, 1]]])  # nowhere denser than elsewhere


def test_silhouette_is_by_hand_and_without_noise():
    rows, partition = np.array([[0.0], [1], [10], [11], [1000]]), np.array([0, 0, 1, 1, clusters.NOISE])
    assert clusters.silhouette(rows, partition) == pytest.approx(((1 - 1 / 10.5) + (1 - 1 / 9.5)) / 2)


def test_remoteness_is_in_units_of_the_median_point():
    """Mean distances to two nearest on the line: 1.5, 1, 1, 1.5, and 97.5 for the point far off."""
    line = np.array([[0.0], [1], [2], [3], [100]])
    assert remoteness(line, 2) == pytest.approx(np.array([1.5, 1, 1, 1.5, 97.5]) / 1.5)


def test_agreement_stands_beside_the_mean_and_the_upper_end_of_its_null():
    assert with_null(np.append(1, np.linspace(0, 0.5, 101))) == pytest.approx(
        {"label_agreement": 1, "label_agreement_shuffled": 0.25, "label_agreement_shuffled_p95": 0.475}
    )
    uneven = np.array([[0, 0, 0, 1], [0, 0, 1, 1]])  # nearest on the line: 1, 0, 1, 2
    assert agreements(ranks(np.array([[0.0], [1], [2.1], [3.3]])), uneven, 1) == pytest.approx([3 / 4, 3 / 4])
    assert agreements(ranks(BLOBS), np.stack([BLOB, np.roll(BLOB, 1)]), 5)[0] == 1


def test_label_match_is_judged_by_the_upper_end_of_its_null():
    found = clusters.label_match(BLOB, LABELLINGS)
    assert found["ari"] == found["ami"] == pytest.approx(1)
    assert 0.005 < found["ari_null_p95"] < 0.06 and 0.005 < found["ami_null_p95"] < 0.06


def test_a_map_that_only_turned_has_not_moved_and_its_points_in_others_places_have():
    turned = 3 * BLOBS @ np.array([[0.0, 1], [-1, 0]])
    found = layout_scores(ranks(BLOBS), BLOBS, turned, LABELLINGS, 5, 0)
    assert found["moved"] == pytest.approx(0, abs=1e-9) and found["moved_null"] > 0.8
    for name in ("trustworthiness", "continuity", "neighbour_recall"):
        assert found[name] == 1 and found[f"{name}_null"] < 0.65
    assert "moved" not in layout_scores(ranks(BLOBS), BLOBS, None, LABELLINGS, 5, 0)


def test_agreement_in_a_map_is_that_of_the_map():
    """The space has the blobs, the map has its points in others' places."""
    mixed = np.random.default_rng(0).permutation(BLOBS)
    found = layout_scores(ranks(BLOBS), mixed, None, LABELLINGS, 5, 0)
    assert found["label_agreement"] < 0.4 and found["trustworthiness"] < 0.65


def test_clusters_of_the_rows_and_of_the_null_are_counted_apart():
    rows = np.vstack([BLOBS, [[90.0, 90], [-90, 90], [90, -90]]])
    labels = np.append(BLOB, [0, 1, 2])
    found = dict(cluster_scores(rows, EVEN, np.stack([labels, labels]), 10, 0))
    dense = found["hdbscan"]
    assert (dense["n_clusters"], dense["noise"]) == (4, pytest.approx(3 / 123))
    assert dense["silhouette"] == pytest.approx(silhouette_score(BLOBS, BLOB))
    assert dense["n_clusters_null"] == 0 and dense["noise_null"] == 1 and np.isnan(dense["silhouette_null"])
    assert found["kmeans"]["n_clusters"] == found["kmeans"]["n_clusters_null"] == 4 and found["kmeans"]["noise"] == 0
    assert found["kmeans"]["silhouette_null"] < 0.5

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from latentmech.geometry import clusters
from latentmech.geometry.map.levels import cluster_scores
from latentmech.geometry.map.projection import gathered, pca, tsne, umap
from latentmech.geometry.map.quality import (
    agreements,
    aligned,
    disparity,
    misplaced,
    neighbour_recall,
    qualities,
    ranks,
    remoteness,
    trustworthiness,
)
from latentmech.geometry.rows import coordinates_shuffled, standardised
from latentmech.tensors import divisor, varies

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(80, 10))
BLOBS, BLOB = make_blobs(120, 8, centers=4, cluster_std=0.5, random_state=1)
LABELLINGS = np.stack([BLOB, *(np.random.default_rng(seed).permutation(BLOB) for seed in range(200))])


def test_trustworthiness_and_continuity_are_scikit_learns():
    flat = pca(CLOUD, 2, 0)
    for k in (1, 5, 20):
        found = qualities(ranks(CLOUD), ranks(flat), k)
        assert found["trustworthiness"] == pytest.approx(sklearn_trustworthiness(CLOUD, flat, n_neighbors=k))
        assert found["continuity"] == pytest.approx(sklearn_trustworthiness(flat, CLOUD, n_neighbors=k))


@pytest.mark.parametrize("project", [tsne, umap])
@pytest.mark.parametrize("n_axes", [2, 3])
def test_tsne_and_umap_keep_neighbours_that_scikit_learn_finds_too(project, n_axes):
    flat = project(BLOBS, n_axes, 0)
    assert flat.shape == (120, n_axes) and np.isfinite(flat).all()
    own = trustworthiness(ranks(BLOBS), ranks(flat), 10)
    assert own == pytest.approx(sklearn_trustworthiness(BLOBS, flat, n_neighbors=10))
    assert own > 0.9
    np.testing.assert_array_equal(flat, project(BLOBS, n_axes, 0))


def test_neighbour_recall_counts_by_hand():
    line = np.array([[0.0], [1], [3], [7], [15]])
    moved = np.array([[0.0], [9.5], [3], [7], [15]])
    assert neighbour_recall(ranks(line), ranks(line), 1) == 1
    # nearest on the line: 1, 0, 1, 2, 3; when the second point moves to 9.5: 2, 3, 0, 1, 1
    assert neighbour_recall(ranks(line), ranks(moved), 1) == 0
    assert neighbour_recall(ranks(line), ranks(moved), 2) == pytest.approx(5 / 10)


def test_a_map_of_points_in_others_places_is_no_map():
    rank = ranks(CLOUD)
    null = np.mean([list(qualities(rank, misplaced(rank, seed), 5).values()) for seed in range(20)], axis=0)
    np.testing.assert_allclose(null, [0.5, 0.5, 5 / 79], atol=0.04)


def test_pca_is_scikit_learns_up_to_sign():
    np.testing.assert_allclose(np.abs(pca(CLOUD, 3, 0)), np.abs(PCA(3).fit_transform(CLOUD)), atol=1e-9)


def test_alignment_undoes_a_rotation_and_disparity_is_scipys():
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    shape = CLOUD[:, :3]
    np.testing.assert_allclose(aligned(5 + shape @ turn, shape), shape - shape.mean(0), atol=1e-9)
    assert disparity(2 * shape @ turn, shape) == pytest.approx(0, abs=1e-9)
    other = CLOUD[:, 3:6]
    assert disparity(other, shape) == pytest.approx(procrustes(shape, other)[2])
    assert disparity(other, shape) > 0.8
    assert np.isnan(disparity(np.ones((80, 3)), shape)) and np.isnan(disparity(shape, np.ones((80, 3))))


def test_label_agreement_and_its_null():
    true, *null = agreements(ranks(BLOBS), LABELLINGS, 5)
    assert true == 1
    assert np.mean(null) == pytest.approx(29 / 119, abs=0.01)  # 30 points in each class


def test_clusters_are_found_where_they_are_and_not_in_their_margins():
    null = coordinates_shuffled(BLOBS, 0)
    for method in (lambda rows: clusters.kmeans(rows, 4, 0), lambda rows: clusters.hdbscan(rows, 10)):
        found = method(BLOBS)
        match = clusters.label_match(found, LABELLINGS)
        assert match["ari"] == match["ami"] == pytest.approx(1)
        assert max(match["ari_null_p95"], match["ami_null_p95"]) < 0.06
        assert clusters.silhouette(BLOBS, found) > 0.7
    assert clusters.silhouette(null, clusters.kmeans(null, 4, 0)) < 0.45
    assert (clusters.hdbscan(RNG.normal(size=(100, 50)), 10) == clusters.NOISE).mean() > 0.5
    assert np.isnan(clusters.silhouette(BLOBS, np.full(120, clusters.NOISE)))


def test_the_outlier_is_the_far_one():
    rows = np.vstack([CLOUD, np.full((1, 10), 9.0)])
    far = remoteness(rows, 5)
    assert far.argmax() == 80 and far.max() > 3
    assert np.median(far) == pytest.approx(1)


def test_shuffled_coordinates_keep_margins_and_nothing_else():
    pair = np.stack([np.arange(200.0), np.arange(200.0)], axis=1)
    mixed = coordinates_shuffled(pair, 0)
    np.testing.assert_array_equal(np.sort(mixed, axis=0), pair)
    assert abs(np.corrcoef(mixed.T)[0, 1]) < 0.2
    flat = standardised(np.hstack([CLOUD * 100 + 3, np.ones((80, 1))]))
    np.testing.assert_allclose(flat.std(0), [1] * 10 + [0])
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-12)


def test_what_only_rounds_is_not_blown_up():
    rounded = (26_000 + 1e-3 * RNG.normal(size=(80, 1))).astype(np.float32).astype(np.float64)
    flat = standardised(np.hstack([CLOUD, rounded]))
    assert rounded.std() > 0 and (flat[:, 10] == 0).all()
    spread, mean = np.array([1e-3, 1e-3, 0]), np.array([26_000, 1.0, 0])
    assert (
        varies(spread, mean).tolist()
        == varies(torch.tensor(spread), torch.tensor(mean)).tolist()
        == [False, True, False]
    )
    assert divisor(torch.tensor(spread), torch.tensor(mean)).tolist() == [1, 1e-3, 1]


def test_hdbscan_is_blind_in_many_dimensions_and_sees_after_umap():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 300))
    labels = np.repeat(np.arange(4), 40)
    rows = 0.4 * centres[labels] + rng.normal(size=(160, 300))
    null = coordinates_shuffled(rows, 0)
    labellings = np.stack([labels, *(rng.permutation(labels) for _ in range(20))])
    full = dict(cluster_scores(rows, null, labellings, 10, 0))["hdbscan"]
    few = dict(cluster_scores(gathered(rows, 5, 0), gathered(null, 5, 0), labellings, 10, 0))["hdbscan"]
    assert full["noise"] > 0.7 and few["noise"] < 0.1 and few["ami"] > 0.9 > few["ami_null_p95"]
    assert few["ami"] > full["ami"] + 0.3
    assert few["noise_null"] > few["noise"] or few["n_clusters_null"] != 4

"""Neighbours against scikit-learn, hubness against scipy, the causal inner product against its definition."""

import numpy as np
import pytest
import torch
from scipy.stats import skew
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from latentmech.geometry.similarity import (
    CausalMetric,
    anisotropy,
    gaussian_like,
    hubness,
    nearest,
    occurrences,
    prepared,
)


@pytest.fixture
def cloud():
    """A cloud in a narrow cone, with one dimension far larger than the others, as hidden states have it."""
    rows = torch.randn(300, 20, generator=torch.Generator().manual_seed(0))
    rows[:, 3] = 40 + 5 * rows[:, 3]
    return rows


@pytest.fixture
def table():
    return torch.randn(500, 20, generator=torch.Generator().manual_seed(1)) @ torch.diag(torch.linspace(0.1, 3, 20))


@pytest.mark.parametrize(
    ("kind", "metric"), [("cosine", "cosine"), ("centred_cosine", "cosine"), ("euclidean", "euclidean")]
)
def test_neighbours_are_scikit_learns(cloud, kind, metric):
    rows = (cloud - cloud.mean(0) if kind == "centred_cosine" else cloud).double().numpy()
    theirs = NearestNeighbors(n_neighbors=6, metric=metric).fit(rows)
    distances, places = theirs.kneighbors(rows)
    scores, ours = nearest(prepared(cloud, kind), kind, 5)
    np.testing.assert_array_equal(ours.numpy(), places[:, 1:])
    np.testing.assert_allclose(scores.numpy(), -distances[:, 1:] + (metric == "cosine"), atol=1e-5)


def test_neighbours_of_some_rows_are_the_same(cloud):
    vectors = prepared(cloud, "cosine")
    some = torch.tensor([7, 3])
    assert torch.equal(nearest(vectors, "cosine", 4, some)[1], nearest(vectors, "cosine", 4)[1][some])


def test_distances_survive_a_huge_common_part(cloud):
    near, far = (nearest(prepared(rows, "euclidean"), "euclidean", 5)[1] for rows in (cloud, cloud + 26_000))
    assert (near == far).float().mean() > 0.99


def test_the_causal_inner_product_is_the_product_in_whitened_coordinates(cloud, table):
    metric = CausalMetric.of(table)
    inverse = np.linalg.inv(np.cov(table.double().numpy().T))
    centred = (table - table.mean(0)).double().numpy()
    products = centred @ inverse @ centred.T
    lengths = np.sqrt(np.diag(products))
    ours = prepared(table, "causal", metric, "unembedding")
    np.testing.assert_allclose((ours @ ours.T).numpy(), products / lengths / lengths[:, None], atol=1e-4)
    rows, covariance = cloud.double().numpy(), np.cov(table.double().numpy().T)
    products = rows @ covariance @ rows.T
    lengths = np.sqrt(np.diag(products))
    ours = prepared(cloud, "causal", metric)
    np.testing.assert_allclose((ours @ ours.T).numpy(), products / lengths / lengths[:, None], atol=1e-4)


def test_the_causal_inner_product_does_not_depend_on_the_coordinates(cloud, table):
    """Logits stay the same when states are mapped by A and the unembedding by A^-T; so must the similarity."""
    mixing = torch.randn(20, 20, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    states, other = (cloud.double() @ mixing).float(), (table.double() @ torch.linalg.inv(mixing).T).float()
    for rows, moved, role in ((cloud, states, "state"), (table, other, "unembedding")):
        here, there = (prepared(r, "causal", CausalMetric.of(t), role) for r, t in ((rows, table), (moved, other)))
        torch.testing.assert_close(here @ here.T, there @ there.T, atol=1e-3, rtol=0)


def test_vectors_of_no_model_are_compared_by_cosine(cloud, table):
    causal = prepared(cloud, "causal", CausalMetric.of(table), "static")
    assert torch.equal(causal, prepared(cloud, "cosine"))


def test_a_dead_direction_of_the_unembedding_counts_for_nothing(cloud, table):
    table[:, 5] = 1.0
    metric = CausalMetric.of(table)
    assert torch.isfinite(metric.unembedding).all()
    moved = cloud.clone()
    moved[:, 5] += 100
    torch.testing.assert_close(prepared(moved, "causal", metric), prepared(cloud, "causal", metric), atol=1e-4, rtol=0)


def test_anisotropy_is_the_mean_cosine(cloud):
    every = cosine_similarity(cloud.numpy())
    expected = every[~np.eye(len(cloud), dtype=bool)].mean()
    assert anisotropy(cloud) == pytest.approx(expected, abs=1e-5) and expected > 0.9
    assert abs(anisotropy(prepared(cloud, "centred_cosine"))) < 0.02


def test_hubness_is_the_skewness_of_the_k_occurrence(cloud):
    counts = occurrences(prepared(cloud, "cosine"), "cosine", 5)
    _, places = NearestNeighbors(n_neighbors=6, metric="cosine").fit(cloud.double().numpy()).kneighbors()
    expected = np.bincount(places[:, :5].ravel(), minlength=len(cloud))
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() == 5 * len(cloud)
    assert hubness(counts) == pytest.approx(skew(expected))
    assert hubness(np.full(9, 5)) == 0


def test_the_null_cloud_has_the_same_mean_and_covariance(cloud):
    rows = cloud.repeat(8, 1)
    null = gaussian_like(rows, 0)
    assert not torch.allclose(null, rows)
    torch.testing.assert_close(null.mean(0), rows.mean(0), atol=0.5, rtol=0)
    torch.testing.assert_close(
        torch.cov(null.T).diagonal().sqrt(), torch.cov(rows.T).diagonal().sqrt(), rtol=0.1, atol=0
    )


def test_hubs_are_found(cloud):
    """A few points in the middle of a sphere are near everything."""
    sphere = torch.nn.functional.normalize(torch.randn(300, 40, generator=torch.Generator().manual_seed(3)), dim=1)
    sphere[:5] *= 0.05
    counts = occurrences(sphere, "euclidean", 5)
    assert set(np.argsort(counts)[-5:]) == set(range(5)) and hubness(counts) > 5

"""One pass over pieces gives what double precision over everything would."""

import numpy as np
import pytest
import torch

from latentmech.activations import Moments
from latentmech.model.moments import CHUNK

HUGE = 2.6e4  # the mean of a massive dimension in the default model


@pytest.fixture(scope="module")
def data():
    """More rows than a chunk; a massive dimension, a tiny one, and a class that never occurs."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 3], p=[0.7, 0.29, 0.01], size=CHUNK + 3000)
    rows = rng.normal(size=(len(labels), 24)) @ rng.normal(size=(24, 24)) + rng.normal(size=(4, 24))[labels]
    rows[:, 3] += HUGE
    rows[:, 5] *= 1e-3
    return torch.from_numpy(rows).float(), torch.from_numpy(labels)


def direct(rows, labels, n_classes=4):
    """The definition, in double precision with everything in memory."""
    rows = rows.double()
    means = torch.stack([rows[labels == c].mean(0) if (labels == c).any() else rows[0] * 0 for c in range(n_classes)])
    centred = rows - means[labels]
    return torch.bincount(labels, minlength=n_classes).double(), means, centred.T @ centred


def error(found, expected, size):
    """Largest deviation relative to the size of each dimension (for a scatter: of both its dimensions)."""
    return float(((found - expected).abs() / (size.outer(size) if found.shape == 2 * size.shape else size)).max())


def merged(rows, labels, cuts):
    pieces = zip(torch.tensor_split(rows, cuts), torch.tensor_split(labels, cuts), strict=True)
    parts = [Moments.of(r, c, 4) for r, c in pieces]
    return sum(parts[1:], start=parts[0])


CUTS = [[], [1], [CHUNK], [50, 51, 52], [10, 4000, 12000], list(range(500, 19000, 500))]


@pytest.mark.parametrize("cuts", CUTS, ids=lambda cuts: f"{len(cuts) + 1} pieces from {cuts[:1]}")
def test_any_split_gives_what_double_precision_gives_directly(data, cuts):
    moments = merged(*data, cuts)
    counts, means, within = direct(*data)
    spread = within.diagonal().sqrt()
    assert torch.equal(moments.counts, counts)
    assert error(moments.means, means, means.abs().amax(0)) < 1e-6
    assert error(moments.within, within, spread) < 1e-6


def test_a_massive_mean_with_a_small_spread_keeps_its_digits():
    """Variance one on a mean of 2.6e4: a scatter around the single-precision mean is wrong by 1.5e-3."""
    rows = torch.randn(CHUNK, 4, generator=torch.Generator().manual_seed(0)) + HUGE
    labels = torch.zeros(len(rows), dtype=torch.long)
    expected = direct(rows, labels, 1)[2]
    assert error(Moments.of(rows, labels, 1).within, expected, expected.diagonal().sqrt()) < 5e-5


def test_merging_is_associative_and_commutative(data):
    a, b, c = (Moments.of(r, k, 4) for r, k in zip(data[0].split(8000), data[1].split(8000), strict=True))
    for other in ((a + (b + c)), (c + a) + b):
        assert torch.allclose(other.within, (a + b + c).within, rtol=1e-10, atol=1e-8)
        assert torch.allclose(other.means, (a + b + c).means, rtol=1e-12, atol=1e-12)


def test_within_and_between_make_up_the_total(data):
    moments = Moments.of(*data, 4)
    rows = data[0].double()
    expected = (rows - rows.mean(0)).T @ (rows - rows.mean(0))
    size = expected.diagonal().sqrt()
    assert error(moments.mean, rows.mean(0), rows.mean(0).abs() + size / len(rows) ** 0.5) < 1e-6
    assert error(moments.total, expected, size) < 1e-6
    assert torch.equal(moments.total, moments.within + moments.between)


def test_standardised_moments_are_those_of_standardised_rows(data):
    rows, labels = data
    moments, mean, scale = Moments.of(rows, labels, 4).standardised()
    assert error(scale, rows.double().std(0, correction=0), scale) < 1e-6
    _, means, within = direct((rows.double() - mean) / scale, labels)
    occurs = moments.counts > 0
    assert torch.allclose(moments.means[occurs], means[occurs], atol=1e-6)
    assert torch.allclose(moments.within / moments.n, within / moments.n, atol=1e-6)
    assert torch.allclose(moments.total.diagonal() / moments.n, torch.ones_like(scale))


@pytest.mark.parametrize("value", [0.0, 0.3, -HUGE])
def test_a_constant_dimension_is_not_blown_up(data, value):
    rows, labels = data[0].clone(), data[1]
    rows[:, 7] = value
    moments, mean, scale = Moments.of(rows, labels, 4).standardised()
    assert scale[7] == 1.0
    assert mean[7] == pytest.approx(value)
    assert moments.total[7].abs().max() < 1e-6 * moments.n

"""Each method finds what was planted, and equals an independent implementation where there is one."""

import sys
from typing import get_type_hints

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import latentmech.direction as direction_room
from latentmech.direction import (
    METHODS,
    DirectionSettings,
    Eraser,
    LabelledRows,
    Parts,
    method_of,
    unit,
)
from latentmech.direction.lda import shrunk
from latentmech.direction.logistic import STRENGTH
from latentmech.direction.methods import directions_of
from latentmech.direction.nulls import exchanges
from latentmech.errors import BadInput
from latentmech.fields import OneOf

moments = sys.modules["latentmech.model.moments"]
WIDTH = 24
PLANTED = unit(torch.randn(WIDTH, generator=torch.Generator().manual_seed(9)))
NO_PAIRS = torch.empty(0, 2, dtype=torch.long)


def rows_of(n, mixing=None, shift=3.0, seed=0):
    """`n` rows of noise for each class, the positive ones moved along PLANTED; pairs share half of their noise."""
    generator = torch.Generator().manual_seed(seed)
    shared, own = torch.randn(n, WIDTH, generator=generator), torch.randn(2 * n, WIDTH, generator=generator)
    rows = shared.repeat(2, 1) + own
    rows = rows if mixing is None else rows @ mixing
    rows[:n] += shift * PLANTED
    return LabelledRows(rows + 5, torch.arange(2 * n) < n, torch.stack([torch.arange(n), torch.arange(n, 2 * n)], 1))


def stretched(seed=1):
    """Noise that is ten times wider along some directions than along others, none of them an axis."""
    basis = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(seed)))[0]
    return basis @ torch.diag(torch.logspace(-0.5, 0.5, WIDTH)) @ basis.T


def cosine(a, b):
    return float(torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0))


@pytest.fixture(scope="module")
def long():
    """Rows whose noise hides the planted direction from the difference of means."""
    return rows_of(4000, stretched())


@pytest.mark.parametrize("name", METHODS)
def test_a_planted_direction_is_found(name):
    found = method_of(name)(rows_of(4000))
    assert cosine(found, PLANTED) > 0.99


@pytest.mark.parametrize("name", ["difference_of_means", "pca_of_differences"])
def test_what_moves_the_rows_is_as_long_as_the_move(name):
    noise = {"difference_of_means": 0, "pca_of_differences": 2}[name]  # along any vector two rows differ by this much
    assert float(method_of(name)(rows_of(4000)).norm()) == pytest.approx((9 + noise) ** 0.5, rel=0.03)


@pytest.mark.parametrize("name", ["lda", "logistic", "leace"])
def test_reading_directions_avoid_what_varies(name, long):
    noise = stretched()
    truth = torch.linalg.solve(noise.T @ noise, PLANTED)
    assert cosine(method_of("difference_of_means")(long), truth) < 0.9, "else there is nothing to avoid"
    assert cosine(method_of(name)(long), truth) > (0.95 if name == "logistic" else 0.99)  # the penalty shrinks it


@pytest.mark.parametrize("name", METHODS)
def test_swapped_labels_turn_it_round(name):
    sample = rows_of(200)
    swapped = LabelledRows(sample.rows, ~sample.positive, sample.pairs.flip(1))
    torch.testing.assert_close(method_of(name)(swapped), -method_of(name)(sample), atol=1e-3, rtol=1e-3)


def test_difference_of_means_merges_over_chunks(monkeypatch):
    sample = rows_of(100)
    monkeypatch.setattr(moments, "CHUNK", 7)
    positive, negative = sample.rows[:100].double(), sample.rows[100:].double()
    found = method_of("difference_of_means")(sample)
    torch.testing.assert_close(found, positive.mean(0) - negative.mean(0), atol=1e-6, rtol=0)


def test_pca_of_differences_is_the_first_component_uncentred():
    sample = rows_of(300, stretched(), shift=1.0)
    differences = (sample.rows[:300] - sample.rows[300:]).numpy()
    svd = TruncatedSVD(1, algorithm="arpack").fit(differences)  # scikit-learn's PCA would centre
    found = method_of("pca_of_differences")(sample)
    assert abs(cosine(found, torch.from_numpy(svd.components_[0]))) == pytest.approx(1, abs=1e-6)
    assert float(found.norm()) == pytest.approx(svd.singular_values_[0] / 300**0.5, rel=1e-5)
    assert float(found.float() @ torch.from_numpy(differences.mean(0))) > 0


def test_pca_of_differences_needs_pairs():
    sample = rows_of(10)
    with pytest.raises(BadInput, match="needs pairs"):
        method_of("pca_of_differences")(LabelledRows(sample.rows, sample.positive, NO_PAIRS))


def share_of(covariance, n):
    """How far `shrunk` went, read from what is left of the off-diagonal."""
    return 1 - float(shrunk(covariance, float(n))[0, 1] / covariance[0, 1])


def test_lda_is_that_of_scikit_learn():
    sample = rows_of(30, stretched())
    covariance = sample.moments.within / (sample.moments.n - 2)
    share = share_of(covariance, sample.moments.n)
    assert 0.02 < share < 0.9, "else shrinking makes no difference"
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=share).fit(
        sample.rows.numpy(), sample.positive.numpy()
    )
    found = method_of("lda")(sample)
    assert cosine(found, torch.from_numpy(theirs.coef_[0])) == pytest.approx(1, abs=1e-6)
    unshrunk = LinearDiscriminantAnalysis(solver="lsqr").fit(sample.rows.numpy(), sample.positive.numpy())
    assert cosine(found, torch.from_numpy(unshrunk.coef_[0])) < 0.99


def test_the_shrinkage_is_that_of_scikit_learn():
    rows = np.random.default_rng(0).normal(size=(150, 400)) @ np.diag(np.geomspace(1, 6, 400))
    covariance = torch.from_numpy(rows.T @ rows / 150)
    theirs = OAS(assume_centered=True).fit(rows).shrinkage_  # leaves out the terms in 2 / d_model
    assert 0.1 < theirs < 0.9
    assert share_of(covariance, 150) == pytest.approx(theirs, rel=0.01)
    torch.testing.assert_close(shrunk(covariance, 150.0).trace(), covariance.trace())


def test_logistic_is_that_of_scikit_learn():
    sample = rows_of(150, stretched(), shift=1.0)
    rows = sample.rows.double()
    standardised = ((rows - rows.mean(0)) / rows.std(0, correction=0)).numpy()
    theirs = LogisticRegression(C=1 / (STRENGTH * len(rows)), tol=1e-10, max_iter=5000)
    theirs.fit(standardised, sample.positive.numpy())
    expected = torch.from_numpy(theirs.coef_[0]) / rows.std(0, correction=0)
    found = method_of("logistic")(sample)
    torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.norm()), rtol=0)


def test_erased_classes_have_one_mean(long):
    erased = Eraser.of(long.moments)(long.rows.double())
    assert float((erased[:4000].mean(0) - erased[4000:].mean(0)).abs().max()) < 1e-6
    assert float((long.rows[:4000].mean(0) - long.rows[4000:].mean(0)).abs().max()) > 0.5


def test_no_linear_classifier_reads_erased_rows(long):
    rows, labels = long.rows.double(), long.positive.numpy()
    assert gain(Eraser.of(long.moments)(rows).numpy(), labels) < 1e-6
    assert gain(rows.numpy(), labels) > 0.3
    crosswise = rows - method_of("difference_of_means")(long) * 0.5  # moved, not erased
    assert gain(crosswise.numpy(), labels) > 0.3


def gain(rows, labels):
    """How much better than a constant the best linear classifier does on the rows it was fitted to, in nats."""
    scaled = (rows - rows.mean(0)) / rows.std(0)
    fitted = LogisticRegression(C=1e6, tol=1e-10, max_iter=2000).fit(scaled, labels)
    return float(np.log(2) - log_loss(labels, fitted.predict_proba(scaled)))


def test_an_eraser_is_a_projection_around_the_mean(long):
    eraser, rows = Eraser.of(long.moments), long.rows.double()
    erased = eraser(rows)
    torch.testing.assert_close(eraser(erased), erased)
    torch.testing.assert_close(erased.mean(0), rows.mean(0), atol=1e-6, rtol=0)


def test_an_eraser_changes_rows_less_than_projecting_their_difference_out(long):
    rows = long.rows.double()
    delta = method_of("difference_of_means")(long)
    delta /= delta.norm()
    projected = rows - ((rows - rows.mean(0)) @ delta).unsqueeze(1) * delta
    whiten = torch.linalg.cholesky(torch.linalg.inv(long.moments.total / len(rows)))
    for units in (torch.eye(WIDTH, dtype=torch.float64), whiten):  # least in any norm
        ours, theirs = (float(((r - rows) @ units).square().sum()) for r in (Eraser.of(long.moments)(rows), projected))
        assert ours < 0.9 * theirs


def test_dimensions_that_never_vary_do_no_harm():
    sample = rows_of(200)
    rows = torch.cat([sample.rows, torch.full((400, 3), 2.5)], 1)
    for name in METHODS:
        found = method_of(name)(LabelledRows(rows, sample.positive, sample.pairs))
        assert found.isfinite().all(), name
        assert float(found[-3:].abs().max()) < 1e-3 * float(found.abs().max()), name


def test_an_unknown_method_is_refused_with_a_suggestion():
    with pytest.raises(BadInput, match=r"direction.method=ldaa is unknown.*lda"):
        method_of("ldaa")


NEW_METHOD = """
def unit_difference_mean(sample):
    differences = sample.rows[sample.pairs[:, 0]] - sample.rows[sample.pairs[:, 1]]
    return (differences / differences.norm(dim=1, keepdim=True).clamp(min=1e-9)).mean(0)
"""


@pytest.fixture
def new_method(monkeypatch, tmp_path):
    """A method as a contributor adds it: one file of its name, and the name in `METHODS`."""
    (tmp_path / "unit_difference_mean.py").write_text(NEW_METHOD)
    monkeypatch.setattr(direction_room, "__path__", [*direction_room.__path__, str(tmp_path)])
    names = (*METHODS, "unit_difference_mean")
    monkeypatch.setattr("latentmech.direction.methods.METHODS", names)
    (rule,) = get_type_hints(DirectionSettings, include_extras=True)["method"].__metadata__
    monkeypatch.setitem(vars(rule), "refusal", OneOf(*names).refusal)
    yield "unit_difference_mean"
    sys.modules.pop("latentmech.direction.unit_difference_mean", None)


def test_a_new_method_is_a_file_and_a_name(new_method):
    assert cosine(method_of(new_method)(rows_of(4000)), PLANTED) > 0.99


@pytest.mark.parametrize("name", METHODS)
def test_under_exchanged_labels_every_method_points_either_way(name):
    """Pairs swap: what is left of the direction has no sign of its own."""
    sample = rows_of(60)
    parts = Parts(
        positive=sample.positive.numpy(), split=np.full(120, "train"), group=np.tile(np.arange(60), 2),
        partners=sample.pairs.numpy(),
    )  # fmt: skip
    fits, again = ([(one, np.arange(120)) for one in exchanges(parts, 8, 1)] for _ in range(2))
    drawn = directions_of(method_of(name), sample.rows, fits)
    assert torch.allclose(drawn.norm(dim=1), torch.ones(8), atol=1e-5)
    assert {cosine(one, PLANTED) > 0 for one in drawn} == {True, False}
    assert torch.equal(drawn, directions_of(method_of(name), sample.rows, again))

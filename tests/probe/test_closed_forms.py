"""Ridge, LDA and mass-mean against independent implementations on the same numbers."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid
from test_logistic import sample_from

from latentmech.probe.methods import lda, mass_mean, ridge
from latentmech.probe.solution import Targets


@pytest.fixture(scope="module", params=[1, 2])
def problem(request):
    sample = sample_from(torch.randn(500, 12, generator=torch.Generator().manual_seed(request.param)))
    labels = torch.stack([torch.arange(500) % 3, (sample.train[:, 0] > 0.3).long()])
    sample.train[labels[0] == 1] += 0.3
    return sample_from(sample.train), Targets(labels, 3)


def test_ridge_is_that_of_scikit_learn(problem):
    sample, targets = problem
    found, x = ridge(sample, targets, torch.full((2,), 0.05)), sample.train
    for p, labels in enumerate(targets.labels):
        expected = Ridge(alpha=0.05 * len(x)).fit(x.numpy(), np.eye(3)[labels]).predict(x.numpy())
        np.testing.assert_allclose(found.logits(x, p).numpy(), expected, atol=1e-4)


def test_lda_without_shrinkage_is_that_of_scikit_learn(problem):
    sample, targets = problem
    found = lda(sample, targets, torch.full((2,), 1e-6))
    expected = LinearDiscriminantAnalysis(solver="lsqr").fit(sample.train.numpy(), targets.labels[0].numpy())
    ours = found.logits(sample.train).softmax(1).numpy()
    np.testing.assert_allclose(ours, expected.predict_proba(sample.train.numpy()), atol=2e-3)


def test_lda_with_full_shrinkage_sees_only_means_and_priors(problem):
    sample, targets = problem
    found = lda(sample, targets, torch.ones(2))
    means = torch.stack([sample.train[targets.labels[0] == c].mean(0) for c in range(3)])
    torch.testing.assert_close(found.weight[0], means.T, atol=1e-4, rtol=1e-4)


def test_mass_mean_is_the_nearest_centroid(problem):
    sample, targets = problem
    found, x = mass_mean(sample, targets, torch.zeros(2)), sample.train
    for p, labels in enumerate(targets.labels):
        expected = NearestCentroid().fit(x.numpy(), labels.numpy()).predict(x.numpy())
        assert (found.logits(x, p).argmax(1).numpy() == expected).all()


def test_an_absent_class_does_no_harm(problem):
    sample, targets = problem
    for fit in (ridge, lda, mass_mean):
        found = fit(sample, targets.part([1]), torch.tensor([0.1]))  # class 2 never occurs
        assert found.weight.isfinite().all()
        assert (found.logits(sample.train).argmax(1) < 2).all()

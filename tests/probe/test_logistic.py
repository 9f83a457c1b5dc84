"""The solver against an independent one, and what the batching over levels and labellings must not change."""

import sys

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from latentmech.probe import Sample
from latentmech.probe.fitting import class_weights
from latentmech.probe.logistic import logistic

solver = sys.modules["latentmech.probe.logistic"]


def sample_from(*levels):
    """A `Sample` of standardised levels with a dev part that is the train part."""
    rows = tuple((x - x.mean(0)) / x.std(0, correction=0) for x in levels)
    zeros, ones = torch.zeros(len(rows), rows[0].shape[1]), torch.ones(len(rows), rows[0].shape[1])
    return Sample(rows, rows, zeros, ones)


def correlated(n, d, seed):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator) * torch.logspace(0, -2, d)[:, None]
    return torch.randn(n, d, generator=generator) @ mixing


@pytest.fixture(scope="module")
def problem():
    sample = sample_from(correlated(600, 20, 1), correlated(600, 20, 2))
    truth = torch.randn(20, 4, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(600, 4, generator=torch.Generator().manual_seed(4))
    targets = torch.stack([(sample.train[0] @ truth + 2 * noise).argmax(1), torch.arange(600) % 4])
    return sample, targets


def reference(x, y, strength, class_weight=None):
    model = LogisticRegression(C=1 / (strength * len(y)), max_iter=5000, tol=1e-10, class_weight=class_weight)
    return model.fit(x.double().numpy(), y.numpy())


@pytest.mark.parametrize("strength", [0.1, 0.003])
def test_weights_are_those_of_scikit_learn(problem, strength):
    sample, targets = problem
    found = logistic(sample, targets, 4, torch.full((2, 2), strength), tolerance=1e-10, max_steps=500)
    for level in range(2):
        for p in range(2):
            expected = reference(sample.train[level], targets[p], strength)
            logits = found.logits(sample.train[level], level, p).log_softmax(1).exp().numpy()
            np.testing.assert_allclose(logits, expected.predict_proba(sample.train[level].numpy()), atol=2e-3)


def test_balanced_class_weights_are_those_of_scikit_learn(problem):
    sample, targets = problem
    y = (targets[:1] == 0).long()
    weights = class_weights(y, 2)
    found = logistic(sample, y, 2, torch.full((2, 1), 0.01), row_weights=weights, tolerance=1e-10, max_steps=500)
    # Of two classes scikit-learn penalises the one difference of weights, which costs twice as much.
    expected = reference(sample.train[0], y[0], 0.005, "balanced").predict_proba(sample.train[0].numpy())
    np.testing.assert_allclose(found.logits(sample.train[0], 0).softmax(1).numpy(), expected, atol=2e-3)


def test_solving_together_changes_nothing(problem):
    sample, targets = problem
    together = logistic(sample, targets, 4, torch.full((2, 2), 0.01), tolerance=1e-9, max_steps=300)
    for level in range(2):
        alone = logistic(sample.only([level]), targets[1:], 4, torch.full((1, 1), 0.01), tolerance=1e-9, max_steps=300)
        torch.testing.assert_close(together.weight[level, 1], alone.weight[0, 0], atol=1e-3, rtol=1e-2)


def test_a_warm_start_ends_where_a_cold_one_does(problem):
    sample, targets = problem
    strengths = torch.full((2, 2), 0.003)
    nearby = logistic(sample, targets, 4, 10 * strengths)
    cold, warm = (
        logistic(sample, targets, 4, strengths, start=start, tolerance=1e-9, max_steps=300) for start in (None, nearby)
    )
    torch.testing.assert_close(cold.weight, warm.weight, atol=2e-3, rtol=1e-2)


def test_starting_on_fewer_rows_ends_where_all_rows_do(problem, monkeypatch):
    sample, targets = problem
    strengths, asked = torch.full((2, 2), 0.003), {"tolerance": 1e-9, "max_steps": 300}
    row_weights = 0.5 + torch.rand(targets.shape, generator=torch.Generator().manual_seed(5))
    plain = logistic(sample, targets, 4, strengths, row_weights=row_weights, **asked)
    seen, inner = [], solver._minimise
    monkeypatch.setattr(solver, "FEWER", 4)
    monkeypatch.setattr(solver, "FEWEST", 100)
    monkeypatch.setattr(
        solver, "_minimise", lambda point, *rest: (seen.append(point.logits.shape[2]), inner(point, *rest))[1]
    )
    nested = logistic(sample, targets, 4, strengths, row_weights=row_weights, **asked)
    assert list(dict.fromkeys(seen)) == [38, 150, 600]
    torch.testing.assert_close(nested.weight, plain.weight, atol=2e-3, rtol=1e-2)


def test_a_constant_dimension_is_harmless(problem):
    sample, targets = problem
    x = sample.train[0].clone()
    x[:, 0] = 0
    flat = Sample((x,), (x,), sample.mean[:1], sample.scale[:1])
    found = logistic(flat, targets, 4, torch.full((1, 2), 0.01))
    assert found.weight.isfinite().all()

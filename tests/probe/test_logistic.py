"""The solver against an independent one, and what the batching over labellings must not change."""

import sys

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from latentmech.probe import Sample
from latentmech.probe.logistic import logistic
from latentmech.probe.solution import Targets

solver = sys.modules["latentmech.probe.logistic"]


def sample_from(x):
    """A `Sample` of standardised rows with a dev part that is the train part."""
    rows = (x - x.mean(0)) / x.std(0, correction=0)
    return Sample(rows, rows, torch.zeros(x.shape[1]), torch.ones(x.shape[1]))


def correlated(n, d, seed):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator) * torch.logspace(0, -2, d)[:, None]
    return torch.randn(n, d, generator=generator) @ mixing


@pytest.fixture(scope="module", params=[1, 2])
def problem(request):
    sample = sample_from(correlated(600, 20, request.param))
    truth = torch.randn(20, 4, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(600, 4, generator=torch.Generator().manual_seed(4))
    targets = torch.stack([(sample.train @ truth + 2 * noise).argmax(1), torch.arange(600) % 4])
    return sample, Targets(targets, 4)


def reference(x, y, strength, class_weight=None):
    model = LogisticRegression(C=1 / (strength * len(y)), max_iter=5000, tol=1e-10, class_weight=class_weight)
    return model.fit(x.double().numpy(), y.numpy())


@pytest.mark.parametrize("strength", [0.1, 0.003])
def test_weights_are_those_of_scikit_learn(problem, strength):
    sample, targets = problem
    found = logistic(sample, targets, torch.full((2,), strength), tolerance=1e-10, max_steps=500)
    for p in range(2):
        expected = reference(sample.train, targets.labels[p], strength)
        chances = found.logits(sample.train, p).softmax(1).numpy()
        np.testing.assert_allclose(chances, expected.predict_proba(sample.train.numpy()), atol=2e-3)


def test_balanced_class_weights_are_those_of_scikit_learn(problem):
    sample, targets = problem
    y = (targets.labels[:1] == 0).long()
    found = logistic(sample, Targets(y, 2).balanced(), torch.tensor([0.01]), tolerance=1e-10, max_steps=500)
    # Of two classes scikit-learn penalises the one difference of weights, which costs twice as much.
    expected = reference(sample.train, y[0], 0.005, "balanced").predict_proba(sample.train.numpy())
    np.testing.assert_allclose(found.logits(sample.train).softmax(1).numpy(), expected, atol=2e-3)


def test_solving_together_changes_nothing(problem):
    sample, targets = problem
    together = logistic(sample, targets, torch.full((2,), 0.01), tolerance=1e-9, max_steps=300)
    for p in range(2):
        alone = logistic(sample, targets.part([p]), torch.tensor([0.01]), tolerance=1e-9, max_steps=300)
        torch.testing.assert_close(together.weight[p], alone.weight[0], atol=1e-3, rtol=1e-2)


def test_a_warm_start_ends_where_a_cold_one_does(problem):
    sample, targets = problem
    strengths = torch.full((2,), 0.003)
    nearby = logistic(sample, targets, 10 * strengths)
    cold, warm = (
        logistic(sample, targets, strengths, start, tolerance=1e-9, max_steps=300) for start in (None, nearby)
    )
    torch.testing.assert_close(cold.weight, warm.weight, atol=2e-3, rtol=1e-2)


def test_starting_on_fewer_rows_ends_where_all_rows_do(problem, monkeypatch):
    sample, targets = problem
    strengths, asked = torch.full((2,), 0.003), {"tolerance": 1e-9, "max_steps": 300}
    row_weights = 0.5 + torch.rand(targets.labels.shape, generator=torch.Generator().manual_seed(5))
    targets = Targets(targets.labels, 4, row_weights)
    plain = logistic(sample, targets, strengths, **asked)
    seen, inner = [], solver._minimise
    monkeypatch.setattr(solver, "FEWER", 4)
    monkeypatch.setattr(solver, "FEWEST", 100)
    monkeypatch.setattr(
        solver, "_minimise", lambda point, *rest: (seen.append(point.logits.shape[2]), inner(point, *rest))[1]
    )
    nested = logistic(sample, targets, strengths, **asked)
    assert list(dict.fromkeys(seen)) == [38, 150, 600]
    torch.testing.assert_close(nested.weight, plain.weight, atol=2e-3, rtol=1e-2)


def test_a_constant_dimension_is_harmless(problem):
    sample, targets = problem
    x = sample.train.clone()
    x[:, 0] = 0
    found = logistic(Sample(x, x, sample.mean, sample.scale), targets, torch.full((2,), 0.01))
    assert found.weight.isfinite().all()

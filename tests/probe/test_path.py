"""The strength is chosen where dev says so, level by level."""

import torch
from test_logistic import correlated, sample_from

from latentmech.probe import Solution
from latentmech.probe.path import choose_strength

PATH = (1.0, 0.3, 0.1, 0.03, 0.01)
SCORES = {1.0: (1, 5), 0.3: (3, 4), 0.1: (2, 3), 0.03: (4, 9), 0.01: (0, 0)}  # level 1 would rise again, too late


def fit(sample, targets, n_classes, strengths, start=None, row_weights=None):
    """Weights that tell which level and strength they belong to."""
    weight = torch.zeros(sample.n_levels, 1, 4, 2)
    weight[:, 0, 0, 0] = strengths[:, 0]
    weight[:, 0, 1, 0] = sample.scale[:, 0]
    return Solution(weight, torch.zeros(sample.n_levels, 1, 2))


def scored(monkeypatch):
    from latentmech.probe import path

    def logits(self, rows, level, problem=0):
        return self.weight[level, problem, :2, 0].expand(len(rows), 2)

    monkeypatch.setattr(path.Solution, "logits", logits)
    return lambda z: float(SCORES[round(float(z[0, 0]), 4)][int(z[0, 1])])


def test_each_level_takes_its_own_best_and_stops_where_nothing_gains(monkeypatch):
    sample = sample_from(correlated(20, 4, 0), correlated(20, 4, 1))
    sample.scale[:] = torch.tensor([[0.0], [1.0]])
    targets = torch.arange(20)[None] % 2
    chosen = choose_strength(fit, sample, targets, 2, PATH, scored(monkeypatch), targets[0])
    assert torch.equal(chosen.strengths, torch.tensor([0.03, 1.0]))
    assert chosen.scores.tolist() == [4, 5]
    assert torch.equal(chosen.solution.weight[:, 0, 0, 0], chosen.strengths)
    assert chosen.solution.weight[:, 0, 1, 0].tolist() == [0, 1]

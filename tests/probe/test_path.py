"""The strength is chosen where dev says so."""

import pytest
import torch
from test_logistic import correlated, sample_from

from latentmech.probe import Solution
from latentmech.probe.fitting import choose_strength
from latentmech.probe.solution import Targets

PATH = (1.0, 0.3, 0.1, 0.03, 0.01)
SCORES = {1.0: (1, 5), 0.3: (3, 4), 0.1: (2, 3), 0.03: (4, 9), 0.01: (0, 0)}  # the second would rise again, too late


def fit(sample, targets, strengths, start=None):
    """Weights that tell which strength they belong to, and of which sample."""
    weight = torch.zeros(1, 4, 2)
    weight[:, 0, 0] = strengths
    weight[:, 1, 0] = sample.scale[0]
    return Solution(weight, torch.zeros(1, 2))


@pytest.mark.parametrize(("level", "strength", "score"), [(0, 0.03, 4), (1, 1.0, 5)])
def test_the_best_is_taken_and_the_walk_stops_where_nothing_gains(level, strength, score, monkeypatch):
    monkeypatch.setattr(Solution, "logits", lambda self, rows: self.weight[0, :2, 0].expand(len(rows), 2))
    labels, sample = torch.arange(20) % 2, sample_from(correlated(20, 4, 0))
    sample.scale[:] = level

    def scored(logits):
        return float(SCORES[round(float(logits[0, 0]), 4)][int(logits[0, 1])])

    chosen = choose_strength(fit, sample, Targets(labels[None], 2), PATH, scored, labels)
    assert chosen.strengths.tolist() == pytest.approx([strength])
    assert float(chosen.score) == score
    assert torch.equal(chosen.solution.weight[:, 0, 0], chosen.strengths)

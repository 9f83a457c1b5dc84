"""How a probe's answers are scored: accuracy for several classes, F1 of the positive one for two."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.path import Score
from latentmech.statistics import Estimate, auroc, bootstrap, bootstrap_mean, f1

Labels = Int[np.ndarray, " row"]


def metric_of(n_classes: int) -> str:
    """The score by which layers and strengths are chosen."""
    return "f1" if n_classes == 2 else "accuracy"


def score_logits(labels: Labels, metric: str) -> Score:
    """The choosing score as a function of logits."""
    truth = torch.from_numpy(labels)

    def accuracy(logits: Float[Tensor, "row class"]) -> float:
        return float((logits.argmax(1) == truth).float().mean())

    def f1_of_last(logits: Float[Tensor, "row class"]) -> float:
        return f1(logits.argmax(1).numpy() == 1, labels == 1)

    return f1_of_last if metric == "f1" else accuracy


def evaluate(
    predicted: Labels,
    labels: Labels,
    clusters: Labels,
    n_classes: int,
    margin: Float[np.ndarray, " row"] | None = None,
    draws: int = 1000,
) -> dict[str, Estimate]:
    """Every score that applies, with an interval over documents.

    Args:
        margin: logit of the positive class minus that of the other, for AUROC; None leaves it out.
    """
    scores = {"accuracy": bootstrap_mean((predicted == labels).astype(float), clusters, draws)}
    if n_classes == 2:
        positive = labels == 1
        scores["f1"] = bootstrap(lambda w: f1(predicted == 1, positive, w), clusters, draws)
        if margin is not None:
            scores["auroc"] = bootstrap(lambda w: auroc(margin, positive, w), clusters, draws)
    return scores

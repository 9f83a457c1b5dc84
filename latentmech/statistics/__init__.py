"""What a number is worth: scores, intervals over groups, paired differences, and the one rule for "beats"."""

from latentmech.statistics.estimates import INTERVAL, Estimate, clusters_of, over_seeds
from latentmech.statistics.exchange import exchanged, p_value
from latentmech.statistics.interval import FEW, difference, estimate, low_p
from latentmech.statistics.lead import Lead, beats, closest, holm, leads, verdict
from latentmech.statistics.model_confidence_set import FEWEST, confidence_set
from latentmech.statistics.scores import auroc, aurocs, f1, folded
from latentmech.statistics.tally import Tally, auroc_of, balanced_accuracy_of, cluster_draws, f1_of, mean_of, ratio_of

__all__ = [
    "FEW",
    "FEWEST",
    "INTERVAL",
    "Estimate",
    "Lead",
    "Tally",
    "auroc",
    "auroc_of",
    "aurocs",
    "balanced_accuracy_of",
    "beats",
    "closest",
    "cluster_draws",
    "clusters_of",
    "confidence_set",
    "difference",
    "estimate",
    "exchanged",
    "f1",
    "f1_of",
    "folded",
    "holm",
    "leads",
    "low_p",
    "mean_of",
    "over_seeds",
    "p_value",
    "ratio_of",
    "verdict",
]

"""What a number is worth: scores, intervals over groups, paired differences, and the one rule for "beats"."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.statistics.estimates import INTERVAL, Estimate, clusters_of, over_seeds
    from latentmech.statistics.exchange import exchanged, p_value
    from latentmech.statistics.interval import FEW, difference, estimate, low_p
    from latentmech.statistics.lead import Lead, beats, closest, holm, leads, verdict
    from latentmech.statistics.model_confidence_set import FEWEST, confidence_set
    from latentmech.statistics.scores import auroc, aurocs, f1, folded
    from latentmech.statistics.tally import Tally, auroc_of, balanced_accuracy_of, f1_of, mean_of, ratio_of

__getattr__, __dir__, __all__ = lazily(__name__)

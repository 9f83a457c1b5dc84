"""How large the residual stream is where a direction is added, so that a strength means the same at every layer."""

from collections.abc import Sequence

from latentmech.activations import ActivationStore
from latentmech.data import Corpus
from latentmech.model import Level, Model

NEUTRAL_WORDS = 1500  # of the bundled treebank


def median_norms(model: Model, store: ActivationStore, levels: Sequence[Level]) -> dict[str, float]:
    """Median norm over the words of a neutral text at each level; first tokens, 100 times larger, would rule a mean."""
    activations = store.get(model, Corpus(limit=NEUTRAL_WORDS)(), levels, "word_last")
    return {level.hook_name: float(activations.level(level.hook_name).norm(dim=1).median()) for level in levels}

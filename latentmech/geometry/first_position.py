"""The first position of a text is left out: its residual stream is a sink, not a word.

Heads that find nothing to attend to look there, and its norm is a hundred times that of other tokens (Xiao et al.
2023, "Efficient streaming language models with attention sinks"; Sun et al. 2024, "Massive activations in large
language models"). One such row decides every variance and stretches every distance. Behind a BOS token no word
stands there; in a model without one, the first word of each text does.
"""

import numpy as np
from jaxtyping import Bool

from latentmech.data import Examples
from latentmech.model import Model, text_rows, tokenise, word_rows


def said_of_the_first(position: str) -> str:
    """What a report says about it, at a position such as `word_last`."""
    if position == "text_mean":
        return "A mean over a text holds its first position too where the model has no BOS; there it is a sink."
    return "The first position of every text is left out: its state is a sink with a norm of its own."


def off_the_first(model: Model, examples: Examples, position: str) -> Bool[np.ndarray, " row"]:
    """Which rows of the activations at `position` (such as `word_last`) do not read the first position.

    The mean over a whole text always reads it in a model without BOS; such rows stay, for there are no others.
    """
    tokens = tokenise(model, examples.texts, examples.ids)
    unit, _, pooling = position.partition("_")
    words = unit == "word" and examples.spans is not None
    rows = word_rows(tokens, examples.spans or (), examples.ids) if words else text_rows(tokens)
    if pooling == "mean" and not words:
        return np.ones(len(rows), dtype=bool)
    return rows[:, 2 if pooling == "last" else 1] > 0

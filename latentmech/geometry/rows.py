"""Which rows of a level are looked at: none of the first position, and each word form once.

The first position is a sink, not a word. Heads that find nothing to attend to look there, and its norm is a hundred
times that of other tokens (Xiao et al. 2023, "Efficient streaming language models with attention sinks"; Sun et al.
2024, "Massive activations in large language models"). One such row decides every variance and stretches every distance.
Behind a BOS token no word stands there; in a model without one, the first word of each text does.

A word that stands there twenty times is its own nearest neighbour. Its states differ by what context adds, which low in
a model is little. A map then shows vocabulary, and an estimator that looks at the nearest two (TwoNN) sees the inside
of such a heap and the way to the next one as if they were one scale. Exact copies are a different matter: those are
removed wherever distances are divided by.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from latentmech.data import Examples, Span
from latentmech.model import Model, text_rows, tokenise, word_rows
from latentmech.tensors import varies


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


def forms_of(examples: Examples) -> np.ndarray:
    """Every word in order of text, or every text if words are not annotated: the rows of the activations."""
    if examples.spans is None:
        return np.array(examples.texts, dtype=object)
    return np.array([word for i in range(len(examples)) for word in examples.words(i)], dtype=object)


def first_of_each(forms: np.ndarray) -> Int[np.ndarray, " kept"]:
    """Places of the first occurrence of each form, whatever its case, in order."""
    folded = np.array([form.lower() for form in forms.tolist()], dtype=str)
    return np.sort(np.unique(folded, return_index=True)[1])


def drawn(forms: np.ndarray, n: int, repeats: bool, seed: int) -> Int[np.ndarray, " drawn"]:
    """Places of at most `n` of the forms in seeded order; without `repeats`, each form once."""
    order = np.random.default_rng(seed).permutation(len(forms))
    if not repeats:
        order = order[first_of_each(forms[order])]
    return order[:n]


def in_context(text: str, span: Span, around: int) -> str:
    """A word in brackets, with so many characters on either side of it."""
    start, end = span
    before, after = text[max(start - around, 0) : start], text[end : end + around]
    return f"{'…' * (start > around)}{before}[{text[start:end]}]{after}{'…' * (end + around < len(text))}"


Rows = Float[np.ndarray, "row d_model"]


def standardised(rows: Rows) -> Rows:
    """Every coordinate with mean 0 and variance 1 (0 where it varies by no more than single precision resolves).

    A few coordinates of a residual stream are a hundred times larger than the rest, and a Euclidean distance then
    reads them alone (Timkey & van Schijndel 2021, "All bark and no bite: rogue dimensions in transformer language
    models obscure representational quality"). Whitening would go further, and blow up the noise.
    """
    mean, scale = rows.mean(0), rows.std(0)
    return np.divide(rows - mean, scale, out=np.zeros_like(rows), where=varies(scale, mean))


def coordinates_shuffled(rows: Rows, seed: int) -> Rows:
    """Each coordinate permuted over the rows by itself: the null that keeps every margin and no relation.

    What a measure says of these rows it owes to single coordinates (their scales, tails, ties), not to structure.
    """
    return np.random.default_rng(seed).permuted(rows, axis=0)

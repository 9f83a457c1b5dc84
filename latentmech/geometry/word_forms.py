"""Each word form once: a word that stands there twenty times is its own nearest neighbour.

Its states differ by what context adds, which low in a model is little. A map then shows vocabulary, and an estimator
that looks at the nearest two (TwoNN) sees the inside of such a heap and the way to the next one as if they were one
scale. Exact copies are a different matter: those are removed wherever distances are divided by.
"""

import numpy as np
from jaxtyping import Int

from latentmech.data import Examples


def forms_of(examples: Examples) -> np.ndarray:
    """Every word in order of text, or every text if words are not annotated: the rows of the activations."""
    if examples.spans is None:
        return np.array(examples.texts, dtype=object)
    return np.array([word for i in range(len(examples)) for word in examples.words(i)], dtype=object)


def first_of_each(forms: np.ndarray) -> Int[np.ndarray, " kept"]:
    """Places of the first occurrence of each form, whatever its case, in order."""
    folded = np.array([form.lower() for form in forms.tolist()], dtype=str)
    return np.sort(np.unique(folded, return_index=True)[1])

"""What whole texts give away before any model: length, last character, first word, a bag of words.

A probe or a direction that tells two kinds of text apart may have found what they are about, or that one kind ends in a
full stop. Each reader scores every class of a new text by what it has seen in train:

    length                  - (l - mean l_c)^2 / 2 var l + log p_c          (characters, one variance for all classes)
    last character          log (n_c(f) + 1) / (n(f) + K)                   (f: letters and digits count as one)
    first word              the same of the first word, in small letters
    bag of words            sum over words that train has  log (n_c(w) + 1) / (n_c + 2)  + log p_c

(the last: naive Bayes on which words occur, add-one smoothed; Manning et al. 2008, "Introduction to information
retrieval", chapter 13). For two classes the difference of the scores orders texts as length itself, or the share of
positive train texts with the feature, would.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from unicodedata import category

import numpy as np
from jaxtyping import Float, Int

from latentmech.data.words import words_of

Texts = Sequence[str]
Labels = Int[np.ndarray, " text"]
Scores = Float[np.ndarray, "new_text class"]

LENGTH, LAST, FIRST, BAG = "length", "final_punctuation", "first_word", "bag_of_words"
SURFACE = {BAG: "bag of words", LENGTH: "length in characters", LAST: "last character", FIRST: "first word"}


def surface_scores(train: Texts, labels: Labels, n_classes: int, texts: Texts) -> dict[str, Scores]:
    """Every reader's score of every class, for each of the new texts."""
    readers = (
        (BAG, _bag_of_words),
        (LENGTH, _length),
        (LAST, _by_feature(ending)),
        (FIRST, _by_feature(lambda text: (words_of(text) or [""])[0])),
    )
    return {name: read(train, labels, n_classes, texts) for name, read in readers}


def ending(text: str) -> str:
    """The last character, or `word` for a letter, a sign on one, or a digit."""
    last = text.rstrip()[-1:]
    return "word" if last.isalnum() or (last and category(last)[0] == "M") else last


def _length(train: Texts, labels: Labels, n_classes: int, texts: Texts) -> Scores:
    sizes, new = (np.array([len(text) for text in part], dtype=float) for part in (train, texts))
    means = np.array([sizes[labels == c].mean() if (labels == c).any() else np.nan for c in range(n_classes)])
    means = np.nan_to_num(means, nan=sizes.mean())
    spread = max(float(np.mean((sizes - means[labels]) ** 2)), 1e-12)
    return -((new[:, None] - means) ** 2) / (2 * spread) + _log_prior(labels, n_classes)


def _by_feature(feature: Callable[[str], Hashable]) -> Callable[[Texts, Labels, int, Texts], Scores]:
    def read(train: Texts, labels: Labels, n_classes: int, texts: Texts) -> Scores:
        seen = Counter(zip(map(feature, train), labels.tolist(), strict=True))
        counts = np.array([[seen[feature(text), c] for c in range(n_classes)] for text in texts], dtype=float)
        return np.log((counts + 1) / (counts.sum(1, keepdims=True) + n_classes))

    return read


def _bag_of_words(train: Texts, labels: Labels, n_classes: int, texts: Texts) -> Scores:
    counts = [Counter[str]() for _ in range(n_classes)]
    for text, label in zip(train, labels.tolist(), strict=True):
        counts[label].update(set(words_of(text)))
    sizes = np.bincount(labels, minlength=n_classes) + 2
    known = {word for counter in counts for word in counter}
    weights = {word: np.log([(n[word] + 1) / size for n, size in zip(counts, sizes, strict=True)]) for word in known}
    nothing, prior = np.zeros(n_classes), _log_prior(labels, n_classes)
    return np.array([sum((weights[w] for w in set(words_of(text)) & known), nothing) + prior for text in texts])


def _log_prior(labels: Labels, n_classes: int) -> Float[np.ndarray, " class"]:
    """A class that train lacks counts as half a text."""
    return np.log(np.maximum(np.bincount(labels, minlength=n_classes), 0.5) / len(labels))

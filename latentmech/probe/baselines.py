"""What is known without the model: the answers that a representation must beat before it has told us anything."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

Known = Int[np.ndarray, " known"]
Answers = Int[np.ndarray, " row"]


def majority(labels: Known, n_classes: int) -> int:
    """The commonest class."""
    return int(np.bincount(labels, minlength=n_classes).argmax())


def lookup(train: Sequence[str], labels: Known, forms: Sequence[str], n_classes: int) -> Answers:
    """Each word's commonest class in train, as it is spelled; the majority class for an unknown word."""
    known, fallback = _commonest(train, labels), majority(labels, n_classes)
    return np.array([known.get(form, fallback) for form in forms], dtype=np.int64)


def lookup_folded(train: Sequence[str], labels: Known, forms: Sequence[str], n_classes: int) -> Answers:
    """The look-up, backing off from an unknown word to its lower-cased form, and then to the majority class."""
    exact, folded = _commonest(train, labels), _commonest([form.lower() for form in train], labels)
    fallback = majority(labels, n_classes)
    answers = [exact.get(form, folded.get(form.lower(), fallback)) for form in forms]
    return np.array(answers, dtype=np.int64)


def lookup_capitalised(
    train: Sequence[str], labels: Known, forms: Sequence[str], initial: Sequence[bool], positive: int
) -> Answers:
    """For proper nouns: the look-up, and for unknown words the capital letter, if it does not begin a text.

    Args:
        initial: whether each word of `forms` is the first of its text, where a capital says nothing.
        positive: the class that a capital letter speaks for; the task must be binary.
    """
    known = _commonest(train, labels)
    capital = [form[:1].isupper() and not first for form, first in zip(forms, initial, strict=True)]
    guesses = np.where(capital, positive, 1 - positive)
    return np.array([known.get(form, guess) for form, guess in zip(forms, guesses, strict=True)], dtype=np.int64)


def bag_of_words(train: Sequence[str], labels: Known, texts: Sequence[str], n_classes: int) -> Answers:
    """For whole texts: multinomial naive Bayes on lower-cased words, add-one smoothing (McCallum & Nigam 1998)."""
    vocabulary = {word: i for i, word in enumerate(sorted({w for text in train for w in text.lower().split()}))}
    counts = np.ones((n_classes, len(vocabulary)))
    for text, label in zip(train, labels, strict=True):
        counts[label] += _counts(text, vocabulary)
    likelihood = np.log(counts / counts.sum(1, keepdims=True))
    prior = np.log(np.maximum(np.bincount(labels, minlength=n_classes), 0.5) / len(labels))
    return np.array([int((prior + likelihood @ _counts(text, vocabulary)).argmax()) for text in texts], dtype=np.int64)


def _commonest(forms: Sequence[str], labels: Known) -> dict[str, int]:
    """Form -> commonest label; of equally common ones the one seen first."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for form, label in zip(forms, labels.tolist(), strict=True):
        counts[form][label] += 1
    return {form: counter.most_common(1)[0][0] for form, counter in counts.items()}


def _counts(text: str, vocabulary: dict[str, int]) -> Float[np.ndarray, " word"]:
    known = [vocabulary[word] for word in text.lower().split() if word in vocabulary]
    return np.bincount(np.array(known, dtype=np.int64), minlength=len(vocabulary)).astype(float)

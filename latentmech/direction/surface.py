"""What the words give away before any model: length, punctuation, the first word, a bag of words.

A direction that separates two sets of texts may have found what they are about, or that one set ends in a full stop.
Each feature is scored by the AUROC of its own best guess, learned on train and read on test; and once more on *matched*
test texts, where every positive text has a negative one of the same length and with the same last character.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import log

import numpy as np
from jaxtyping import Bool, Float, Int

Texts = Sequence[str]
Labels = Bool[np.ndarray, " text"]
Scores = Float[np.ndarray, " test_text"]


def length(train: Texts, labels: Labels, test: Texts) -> Scores:
    """Characters, signed so that the longer kind of train scores higher."""
    sizes = np.array([len(text) for text in train], dtype=float)
    sign = 1.0 if sizes[labels].mean() >= sizes[~labels].mean() else -1.0
    return sign * np.array([len(text) for text in test], dtype=float)


def final_punctuation(train: Texts, labels: Labels, test: Texts) -> Scores:
    """How often train texts with the same last character are positive; letters and digits count as one."""
    return _rate(train, labels, test, ending)


def first_word(train: Texts, labels: Labels, test: Texts) -> Scores:
    """How often train texts with the same first word are positive."""
    return _rate(train, labels, test, lambda text: (words(text) or [""])[0])


def bag_of_words(train: Texts, labels: Labels, test: Texts) -> Scores:
    """Log-odds of a naive Bayes classifier on which words occur (Manning et al. 2008, chapter 13), add-one smoothed."""
    counts = {
        kind: Counter(w for t, y in zip(train, labels, strict=True) if y == kind for w in set(words(t)))
        for kind in (True, False)
    }
    sizes = {True: labels.sum() + 2, False: (~labels).sum() + 2}

    def weight(word: str) -> float:
        chance = {kind: (counts[kind][word] + 1) / sizes[kind] for kind in (True, False)}
        return log(chance[True]) - log(chance[False])

    known = counts[True].keys() | counts[False].keys()
    return np.array([sum(weight(w) for w in set(words(t)) & known) for t in test], dtype=float)


FEATURES: dict[str, Callable[[Texts, Labels, Texts], Scores]] = {
    "bag_of_words": bag_of_words,
    "length": length,
    "final_punctuation": final_punctuation,
    "first_word": first_word,
}


def matched(texts: Texts, labels: Labels, seed: int) -> Int[np.ndarray, " kept"]:
    """Indices of as many positive as negative texts of each length in words and last character, drawn at random."""
    strata: dict[tuple[int, str], dict[bool, list[int]]] = defaultdict(lambda: {True: [], False: []})
    for i in np.random.default_rng(seed).permutation(len(texts)).tolist():
        strata[len(texts[i].split()), ending(texts[i])][bool(labels[i])].append(i)
    kept = [
        i for kinds in strata.values() for places in kinds.values() for i in places[: min(map(len, kinds.values()))]
    ]
    return np.array(sorted(kept), dtype=np.int64)


def words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"\w+(?:['’]\w+)?", text.lower())


def ending(text: str) -> str:
    """The last character, or `word` for a letter or digit."""
    last = text.rstrip()[-1:]
    return "word" if last.isalnum() else last


def _rate(train: Texts, labels: Labels, test: Texts, feature: Callable[[str], str]) -> Scores:
    """The share of positive train texts with the same feature, smoothed towards a half."""
    seen, hits = Counter(map(feature, train)), Counter(feature(t) for t, y in zip(train, labels, strict=True) if y)
    return np.array([(hits[feature(t)] + 1) / (seen[feature(t)] + 2) for t in test])

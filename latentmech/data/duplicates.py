"""Test texts that train or dev has seen, word for word or nearly: what a score on them shows is memory.

Two texts are near-duplicates if of the word trigrams that either has, both have 0.8 or more (the Jaccard
index; Broder 1997, *On the resemblance and containment of documents*), case, digits and punctuation folded.
Then B lacks at most a fifth of A's trigrams, so among any `|A| // 5 + 1` of them B has at least one. A's
rarest are taken, and only the texts found through them are compared.
It does not find a paraphrase, and of texts below three words only those whose words are all the same.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from latentmech.data.examples import Examples
from latentmech.data.splits import normalised
from latentmech.data.words import words_of

SIMILAR = Fraction(4, 5)  # exact, or a pair at the threshold may be lost to rounding


@dataclass(frozen=True)
class Duplicates:
    """Per test text: its index in the examples, and whether train or dev has it exactly, or else nearly."""

    example: np.ndarray
    exact: np.ndarray
    near: np.ndarray


def cross_split_duplicates(examples: Examples) -> Duplicates:
    """Compare every test text with the texts of train and dev."""
    test = [i for i, split in enumerate(examples.splits) if split == "test"]
    seen = [text for text, split in zip(examples.texts, examples.splits, strict=True) if split != "test"]
    return Duplicates(np.array(test, dtype=int), *copies_among([examples.texts[i] for i in test], seen))


def copies_among(texts: Sequence[str], seen: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Per text, whether it is among the seen ones exactly, or else nearly."""
    known = {normalised(text) for text in seen}
    exact = np.array([normalised(text) in known for text in texts], dtype=bool)
    rest = {i: shingles(text) for i, (text, same) in enumerate(zip(texts, exact, strict=True)) if not same}
    near = _near(rest, seen)
    return exact, np.array([i in near for i in range(len(texts))], dtype=bool)


def said_of_copies(found: Duplicates, examples: Examples, group: str = "document") -> str:
    """What a reader must know of texts that stand on both sides of a split.

    Args:
        group: what was kept whole when the data were split.
    """
    exact, near = int(found.exact.sum()), int(found.near.sum())
    splits = "in the splits that came with the data" if examples.own_splits else f"after splitting by {group}"
    seen = f"{exact} of {len(found.exact)} test texts stand in train or dev word for word"
    return f"{seen}, {near} more nearly so, {splits}."


def shingles(text: str) -> frozenset[str]:
    """The folded text's word trigrams; a shorter text whole; nothing for one without letter or digit."""
    words = words_of(re.sub(r"['’_]", " ", re.sub(r"\d+", "0", text)))
    return frozenset(" ".join(words[at : at + 3]) for at in range(max(len(words) - 2, min(len(words), 1))))


def _near(tests: dict[int, frozenset[str]], seen: Sequence[str]) -> set[int]:
    """The keys of `tests` that resemble a text in `seen`."""
    wanted = frozenset().union(*tests.values())
    index: dict[str, list[int]] = defaultdict(list)
    for at, text in enumerate(seen):
        for shingle in shingles(text) & wanted:
            index[shingle].append(at)
    return {key for key, own in tests.items() if _resembles(own, seen, index)}


def _resembles(own: frozenset[str], seen: Sequence[str], index: dict[str, list[int]]) -> bool:
    rarest = sorted(own, key=lambda shingle: (len(index.get(shingle, ())), shingle))
    enough = int((1 - SIMILAR) * len(own)) + 1
    candidates = {at for shingle in rarest[:enough] for at in index.get(shingle, ())}
    return any(_jaccard(own, shingles(seen[at])) >= SIMILAR for at in candidates)


def _jaccard(a: frozenset[str], b: frozenset[str]) -> Fraction:
    return Fraction(len(a & b), len(a | b))

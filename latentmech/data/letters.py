"""Lettered choices: the letter of the answer must not give the property away.

Where answers are `(A)` and `(B)`, a direction from one set of answers to the other holds the letter as well as the
property, unless each letter is the answer with the property equally often.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from latentmech.data.contrast import Contrast
from latentmech.data.splits import seeded_order

LETTER = re.compile(r"\s*\(?([A-Za-z])\)?\s*")


def letters_of(texts: Sequence[str]) -> list[str] | None:
    """The letter of each answer; None where one of them is more than a letter."""
    found = [LETTER.fullmatch(text) for text in texts]
    return [match[1].upper() for match in found if match] if all(found) else None


def letters_balanced(contrast: Contrast, seed: int) -> Contrast:
    """Per split, a seeded sample of pairs in which every letter has the property equally often.

    Other contrasts come back as they are.
    """
    letters = letters_of(contrast.positive.texts) if contrast.paired else None
    if letters is None:
        return contrast
    if len(set(letters)) == 1:
        note = f"the answer with the property is always ({letters[0]}): the direction may be that of the letter"
        return replace(contrast, notes=(*contrast.notes, note))
    kept = sorted(place for split in dict.fromkeys(contrast.positive.splits) for place in _even(contrast, split, seed))
    dropped = len(letters) - len(kept)
    note = f"{dropped} of {len(letters)} pairs were left out so that every letter has the property equally often"
    positive, negative = contrast.positive.select(kept), contrast.negative.select(kept)
    notes = (*contrast.notes, note) if dropped else contrast.notes
    return replace(contrast, positive=positive, negative=negative, notes=notes)


def _even(contrast: Contrast, split: str, seed: int) -> list[int]:
    ids, splits = contrast.positive.ids, contrast.positive.splits
    letters = letters_of(contrast.positive.texts) or []
    places = {ids[i]: i for i in range(len(ids)) if splits[i] == split}
    fewest = min(Counter(letters[i] for i in places.values()).get(letter, 0) for letter in set(letters))
    ordered = [places[name] for name in seeded_order(places, seed)]
    return [i for letter in sorted(set(letters)) for i in [j for j in ordered if letters[j] == letter][:fewest]]


def alternating(kinds: Sequence[str]) -> list[int]:
    """Places in an order in which every beginning has each kind, such as a letter, about equally often."""
    turn: Counter[str] = Counter()
    keyed = []
    for place, kind in enumerate(kinds):
        keyed.append((turn[kind], kind, place))
        turn[kind] += 1
    return [place for _, _, place in sorted(keyed)]

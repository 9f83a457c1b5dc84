"""`Contrast`: two sets of texts that differ in one property, such as harmful and harmless requests.

Where the texts are lettered answers, `(A)` and `(B)`, a direction from one set to the other holds the letter as well as
the property, unless each letter is the answer with the property equally often.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from latentmech.data.examples import Examples, merge
from latentmech.data.splits import seeded_order
from latentmech.errors import BadInput, listed

PROMPT = "prompt"  # the column that holds what is answered, where the texts are answers
LETTER = re.compile(r"\s*\(?([A-Za-z])\)?\s*")


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Texts with a property and texts without it. It does not know what the property is.

    Where both have a column `prompt`, their texts are answers to it; otherwise they are what a user says.

    Attributes:
        positive: the texts that have the property.
        negative: those that lack it.
        paired: text `i` of one is matched with text `i` of the other.
        source: where they came from, as the user wrote it.
        notes: what reading decided and a reader of the results must know.
    """

    positive: Examples
    negative: Examples
    paired: bool
    source: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positive) + len(self.negative)

    @property
    def joint(self) -> Examples:
        """All texts, the positive ones first."""
        return replace(merge([self.positive, self.negative]), source=self.source)

    @property
    def labels(self) -> Bool[np.ndarray, " text"]:
        """Per text of `joint`, whether it is a positive one."""
        return np.arange(len(self)) < len(self.positive)

    @property
    def partners(self) -> Int[np.ndarray, "pair 2"]:
        """Places in `joint` of the positive and the negative text of each pair; none if it is not paired."""
        n = len(self.positive) if self.paired else 0
        return np.stack([np.arange(n), np.arange(n) + len(self.positive)], axis=1)

    @property
    def are_answers(self) -> bool:
        """Whether the texts are answers to a prompt."""
        return PROMPT in self.positive.columns and PROMPT in self.negative.columns

    def in_split(self, split: str) -> "Contrast":
        """The texts of one split; pairs are never in two."""
        return replace(self, positive=self.positive.in_split(split), negative=self.negative.in_split(split))


def contrast_of(joint: Examples, positive: Bool[np.ndarray, " text"], *, paired: bool) -> Contrast:
    """The contrast of texts that are marked as positive or not; what `Contrast.joint` puts together."""
    return Contrast(
        positive=joint.where(lambda i: bool(positive[i])),
        negative=joint.where(lambda i: not positive[i]),
        paired=paired,
        source=joint.source,
        notes=joint.notes,
    )


def without(contrast: Contrast, gone: Bool[np.ndarray, " text"], why: str) -> Contrast:
    """The contrast without some texts of `joint`, and without their partners; `why` says what was wrong with them.

    Raises:
        BadInput: a split would lose all texts of a kind.
    """
    if not gone.any():
        return contrast
    own, other = gone[: len(contrast.positive)], gone[len(contrast.positive) :]
    own, other = (own | other,) * 2 if contrast.paired else (own, other)
    positive = contrast.positive.where(lambda i: not own[i])
    negative = contrast.negative.where(lambda i: not other[i])
    for split in dict.fromkeys(contrast.joint.splits):
        if split not in positive.splits or split not in negative.splits:
            raise BadInput(f"{contrast.source}: every {split} text of a kind {why}; expected some to be left")
    names = listed(name for name, out in zip(contrast.joint.ids, gone, strict=True) if out)
    lost, pairs = len(contrast) - len(positive) - len(negative), ", or its partner does" if contrast.paired else ""
    note = f"{lost} of {len(contrast)} texts were left out, for each {why}{pairs}: {names}"
    return replace(contrast, positive=positive, negative=negative, notes=(*contrast.notes, note))


def said(joint: Examples) -> Examples:
    """The texts by which examples are compared: prompts, where the texts are only answers such as a letter."""
    return replace(joint, texts=joint.columns[PROMPT]) if PROMPT in joint.columns else joint


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

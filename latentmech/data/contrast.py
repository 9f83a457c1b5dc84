"""`Contrast`: two sets of texts that differ in one property, such as harmful and harmless requests."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from latentmech.data.examples import Examples
from latentmech.data.merge import merge

PROMPT = "prompt"  # the column that holds what is answered, where the texts are answers


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

        def part(examples: Examples) -> Examples:
            return examples.where(lambda i: examples.splits[i] == split)

        return replace(self, positive=part(self.positive), negative=part(self.negative))


def contrast_of(joint: Examples, positive: Bool[np.ndarray, " text"], *, paired: bool) -> Contrast:
    """The contrast of texts that are marked as positive or not; what `Contrast.joint` puts together."""
    return Contrast(
        positive=joint.where(lambda i: bool(positive[i])),
        negative=joint.where(lambda i: not positive[i]),
        paired=paired,
        source=joint.source,
        notes=joint.notes,
    )


def said(joint: Examples) -> Examples:
    """The texts by which examples are compared: prompts, where the texts are only answers such as a letter."""
    return replace(joint, texts=joint.columns[PROMPT]) if PROMPT in joint.columns else joint

"""The direction beside others: cosines to those of the bundled sets, and what it reads in other data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from latentmech.data import (
    SURFACE,
    Contrast,
    Examples,
    Pairs,
    bundled_pairs,
    copies_among,
    has_both_kinds,
    read_texts,
    said,
)
from latentmech.direction.direction import Direction, unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.sample import Parts, Rows, Scores
from latentmech.direction.stability import Stability
from latentmech.direction.surface import surface_of, visible
from latentmech.statistics import Estimate, Lead, auroc_of, clusters_of, estimate, leads

BAG = "bag_of_words"
Halve = Callable[[Parts, Rows], Stability]
RowsOf = Callable[[Examples], Rows]  # states of any texts at the direction's own place


@dataclass(frozen=True)
class Relative:
    """Cosine to another direction at the same layer, and the most that noise in both would leave of a cosine of 1."""

    name: str
    cosine: float
    ceiling: float


@dataclass(frozen=True)
class Transfer:
    """What the direction and the words of its own training texts read in `n` texts of other data.

    Attributes:
        exact: of these texts, those that train or dev has word for word.
        near: those that they nearly have.
        one_kind: whether they are of one kind alone, which is set against the study's own negative test texts.
    """

    name: str
    auroc: Estimate
    bag_of_words: Estimate
    lead: Lead
    exact: int
    near: int
    n: int
    one_kind: bool


def cosines(
    method: DirectionMethod, own: Direction, whole: float, names: Sequence[str], rows_of: RowsOf, halve: Halve
) -> list[Relative]:
    """Directions of bundled sets, read at the same layer by the same method and rule.

    Args:
        whole: expected cosine between this direction and one from as many other texts.
    """
    found = []
    for name in names:
        contrast = Pairs(name=name)()
        rows, parts = rows_of(contrast.joint), Parts.of(contrast)
        vector = unit(method(parts.sample(rows, parts.within("train"))))
        ceiling = sqrt(max(whole, 0) * max(halve(parts, rows).whole, 0))
        found.append(Relative(name, float(vector @ own.vector), ceiling))
    return found


@dataclass(frozen=True, eq=False)
class Foreign:
    """Texts of other data, and which of them are positive."""

    name: str
    examples: Examples
    positive: Bool[np.ndarray, " text"]

    @classmethod
    def at(cls, where: str, label: str | None) -> "Foreign":
        """A bundled set by its name, or a file, or a folder with files named after labels such as `label`.

        Of a bundled set only test: bundled sets may share texts and groups, and are split alike. Texts of one kind are
        all taken as positive.
        """
        if where in bundled_pairs():
            contrast = Pairs(name=where)().in_split("test")
            return cls(where, contrast.joint, contrast.labels)
        path = Path(where).expanduser()
        if has_both_kinds(path):
            contrast = Pairs(path=path, positive=label if path.is_dir() else None)()
            return cls(path.stem, contrast.joint, contrast.labels)
        examples = read_texts(path)
        return cls(path.stem, examples, np.ones(len(examples), dtype=bool))


def transfer(
    own: Direction, contrast: Contrast, test_scores: Scores, foreign: Foreign, rows_of: RowsOf, draws: int
) -> Transfer:
    """Read other data, having the contrast that the direction was found in and its scores of the test texts there."""
    examples, positive = foreign.examples, foreign.positive
    scores: Float[np.ndarray, " _"] = own.project(rows_of(examples)).double().numpy()
    train, test = contrast.in_split("train"), contrast.in_split("test")
    texts, groups, one_kind = [*visible(examples)], [*examples.groups], bool(positive.all())
    if one_kind:
        scores = np.concatenate([scores, test_scores[~test.labels]])
        texts, groups = [*texts, *visible(test.negative)], [*groups, *test.negative.groups]
        positive = np.concatenate([positive, np.zeros(len(test.negative), dtype=bool)])
    words = surface_of(visible(train.joint), train.labels, texts)[BAG]
    direction, bag = (auroc_of(some, positive, clusters_of(groups)) for some in (scores, words))
    seen = contrast.joint.where(lambda i: contrast.joint.splits[i] != "test")
    exact, near = copies_among(said(examples).texts, said(seen).texts)
    return Transfer(
        name=foreign.name, auroc=estimate(direction, draws), bag_of_words=estimate(bag, draws),
        lead=leads(direction, {SURFACE[BAG]: bag}, draws)[0], exact=int(exact.sum()), near=int(near.sum()),
        n=len(examples), one_kind=one_kind,
    )  # fmt: skip

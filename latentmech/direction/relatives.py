"""The direction beside others: cosines to those of the bundled sets, and what it reads in other data."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from latentmech.activations import ActivationStore
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
from latentmech.direction.methods import method_of
from latentmech.direction.parts import Parts
from latentmech.direction.reading import Reading, rows_at
from latentmech.direction.stability import stability
from latentmech.direction.surface import surface_of, visible
from latentmech.model import Model
from latentmech.statistics import Estimate, Lead, auroc_of, clusters_of, estimate, leads

BAG = "bag_of_words"


@dataclass(frozen=True)
class Relative:
    """Cosine to another direction at the same layer, and the most that noise in both would leave of a cosine of 1."""

    name: str
    cosine: float
    ceiling: float


@dataclass(frozen=True)
class Transfer:
    """What the direction reads in other data, and how much of those it has seen.

    Attributes:
        auroc: of the direction.
        bag_of_words: of the words of the direction's own training texts.
        lead: how far the direction is ahead of them.
        exact: of its texts, those that train or dev has word for word.
        near: those that they nearly have.
        n: its texts.
        one_kind: whether it has one kind of text alone, which is set against the study's own negative test texts.
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
    reading: Reading,
    own: Direction,
    whole: float,
    names: Sequence[str],
    halvings: int,
    seed: int,
    model: Model,
    store: ActivationStore,
) -> list[Relative]:
    """Directions of bundled sets, read at the same layer by the same method and rule.

    Args:
        whole: expected cosine between this direction and one from as many other texts.
        names: of the sets.
    """
    found, method = [], method_of(reading.method)
    for name in names:
        contrast = Pairs(name=name)()
        rows, parts = rows_at(reading, contrast.joint, own.hook_name, model, store), Parts.of(contrast)
        vector = unit(method(parts.sample(rows, parts.within("train"))))
        stable = stability(method, parts, rows, halvings, seed)
        ceiling = sqrt(max(whole, 0) * max(stable.whole, 0)) if halvings else float("nan")
        found.append(Relative(name, float(vector @ own.vector), ceiling))
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreign:
    """Texts of other data, and which of them are positive."""

    name: str
    examples: Examples
    positive: Bool[np.ndarray, " text"]

    @classmethod
    def at(cls, where: str, label: str | None) -> "Foreign":
        """A bundled set by its name, or a file or folder; texts of one kind are all taken as positive.

        Of a bundled set only test: bundled sets may share texts and groups, and are split alike.

        Args:
            label: of the positive texts, where a folder's files are named after labels.
        """
        if where in bundled_pairs():
            contrast = Pairs(name=where)().in_split("test")
            return cls(name=where, examples=contrast.joint, positive=contrast.labels)
        path = Path(where).expanduser()
        if has_both_kinds(path):
            contrast = Pairs(path=path, positive=label if path.is_dir() else None)()
            return cls(name=path.stem, examples=contrast.joint, positive=contrast.labels)
        examples = read_texts(path)
        return cls(name=path.stem, examples=examples, positive=np.ones(len(examples), dtype=bool))


def transfer(
    reading: Reading,
    own: Direction,
    contrast: Contrast,
    test_scores: Float[np.ndarray, " test_text"],
    foreign: Foreign,
    draws: int,
    model: Model,
    store: ActivationStore,
) -> Transfer:
    """What the direction reads in other data, beside what the words of its training texts read there.

    Args:
        contrast: what the direction was found in.
        test_scores: of its own test texts, in the order of `Contrast.joint`.
    """
    examples, positive = foreign.examples, foreign.positive
    scores = own.project(rows_at(reading, examples, own.hook_name, model, store)).double().numpy()
    train, test = contrast.in_split("train"), contrast.in_split("test")
    texts, groups, one_kind = [*visible(examples)], [*examples.groups], bool(positive.all())
    if one_kind:
        scores = np.concatenate([scores, test_scores[~test.labels]])
        texts, groups = [*texts, *visible(test.negative)], [*groups, *test.negative.groups]
        positive = np.concatenate([positive, np.zeros(len(test.negative), dtype=bool)])
    words = surface_of(visible(train.joint), train.labels, texts)[BAG]
    clusters = clusters_of(groups)
    direction, bag = (auroc_of(some, positive, clusters) for some in (scores, words))
    seen = contrast.joint.where(lambda i: contrast.joint.splits[i] != "test")
    exact, near = copies_among(said(examples).texts, said(seen).texts)
    return Transfer(
        name=foreign.name, auroc=estimate(direction, draws), bag_of_words=estimate(bag, draws),
        lead=leads(direction, {SURFACE[BAG]: bag}, draws)[0], exact=int(exact.sum()), near=int(near.sum()),
        n=len(examples), one_kind=one_kind,
    )  # fmt: skip

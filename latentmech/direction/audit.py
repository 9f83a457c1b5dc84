"""What the saved direction reads elsewhere: on test, once, and in other data; and its cosines to other directions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.data import (
    Contrast,
    Examples,
    Label,
    Pairs,
    bundled_pairs,
    copies_among,
    has_both_kinds,
    read_texts,
    said,
)
from latentmech.direction.direction import Direction, unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.sample import Parts, Rows, Scores, matched, surface_of, visible
from latentmech.direction.stability import Stability
from latentmech.statistics import Estimate, Lead, auroc_of, clusters_of, estimate, leads

DIRECTION, FROM_MATCHED, BAG = "direction", "direction_from_matched", "bag_of_words"
FEWEST = 20  # matched train texts below which no direction is fitted on them
Halve = Callable[[Parts, Rows], Stability]
RowsOf = Callable[[Examples], Rows]  # states of any texts at the direction's own place


@dataclass(frozen=True, eq=False)
class Audit:
    """AUROC of each reader, the direction first, on all test texts and on matched ones (NaN where too few match)."""

    readers: dict[str, tuple[Estimate, Estimate]]
    scores: Scores  # the direction's, of the test rows
    n_matched: int

    @property
    def test(self) -> Estimate:
        """The direction on all test texts."""
        return self.readers[DIRECTION][0]


def audit(
    method: DirectionMethod, texts: Sequence[str], parts: Parts, read: Parts, rows: Rows,
    vector: Float[Tensor, " d_model"], draws: int, seed: int,
) -> Audit:  # fmt: skip
    """Read test once with everything that wants to read it, by rows and vector of the chosen place.

    Args:
        texts: all of them, which `parts` is of; `read` is of those that have rows.
    """
    train, test = parts.within("train"), parts.within("test")
    known, truth, clusters = parts.truth("train"), parts.truth("test"), parts.group[test]
    learned, asked = [texts[i] for i in train], [texts[i] for i in test]
    alike, kept = train[matched(learned, known, seed)], matched(asked, truth, seed)

    def on(scores: Scores, places: np.ndarray) -> Estimate:
        if not len(places):
            return Estimate(float("nan"))
        return estimate(auroc_of(scores[places], truth[places], clusters_of(clusters[places])), draws)

    held = rows[read.within("test")]
    scores = {DIRECTION: (held @ vector).double().numpy()}
    if read is parts and len(alike) >= FEWEST and (len(parts.among(alike).partners) or not len(parts.partners)):
        scores[FROM_MATCHED] = (held @ unit(method(parts.sample(rows, alike)))).double().numpy()
    scores |= surface_of(learned, known, asked)
    every = np.arange(len(test))
    readers = {name: (on(read, every), on(read, kept)) for name, read in scores.items()}
    return Audit(readers, scores[DIRECTION], len(kept))


def cosines(
    method: DirectionMethod, own: Direction, whole: float, names: Sequence[str], rows_of: RowsOf, halve: Halve
) -> dict[str, tuple[float, float]]:
    """To directions of bundled sets at the same layer, and the most that noise in both would leave of a cosine of 1.

    The method and the rule are the same; `whole` is expected between this direction and one from as many other texts.
    """
    found = {}
    for name in names:
        contrast = Pairs(name=name)()
        rows, parts = rows_of(contrast.joint), Parts.of(contrast)
        vector = unit(method(parts.sample(rows, parts.within("train"))))
        ceiling = sqrt(max(whole, 0) * max(halve(parts, rows).whole, 0))
        found[name] = float(vector @ own.vector), ceiling
    return found


@dataclass(frozen=True)
class Transfer:
    """What the direction and the words of its own training texts read in `n` texts of other data.

    Attributes:
        exact: of these texts, those that train or dev has word for word; `near` those that they nearly have.
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


def foreign(where: str, label: Label) -> tuple[str, Examples, Bool[np.ndarray, " text"]]:
    """Name, texts, and which are positive, of a bundled set, a file, or a folder with files named after labels.

    Of a bundled set only test: bundled sets may share texts and groups, and are split alike. Texts of one kind are all
    taken as positive.
    """
    if where in bundled_pairs():
        contrast = Pairs(name=where)().in_split("test")
        return where, contrast.joint, contrast.labels
    path = Path(where).expanduser()
    if has_both_kinds(path):
        contrast = Pairs(path=path, positive=label if path.is_dir() else None)()
        return path.stem, contrast.joint, contrast.labels
    examples = read_texts(path)
    return path.stem, examples, np.ones(len(examples), dtype=bool)


def transfer(
    own: Direction, contrast: Contrast, test_scores: Scores, where: str, label: Label, rows_of: RowsOf, draws: int
) -> Transfer:
    """Read other data (see `foreign`), having the contrast of the direction and its scores of the test texts there."""
    name, examples, positive = foreign(where, label)
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
        name=name, auroc=estimate(direction, draws), bag_of_words=estimate(bag, draws),
        lead=leads(direction, {BAG: bag}, draws)[0], exact=int(exact.sum()), near=int(near.sum()),
        n=len(examples), one_kind=one_kind,
    )  # fmt: skip

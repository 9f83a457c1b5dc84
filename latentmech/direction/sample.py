"""Rows with their labels: what every method starts from, which are train, dev and test, what their words give away."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from latentmech.activations import Moments
from latentmech.data import PROMPT, Contrast, Examples, ending, length_in_words, said, surface_scores, tied_groups
from latentmech.statistics import clusters_of
from latentmech.tensors import divisor

Rows = Float[Tensor, "row d_model"]
Places = Int[np.ndarray, " _"]
Scores = Float[np.ndarray, " _"]
Labels = Bool[np.ndarray, " text"]


class Spectrum(NamedTuple):
    """Sums of squares of rows along their principal axes, each dimension first divided by its scale.

    Attributes:
        eps: what is smaller beside the largest of them is rounding.
    """

    values: Float64[Tensor, " axis"]
    axes: Float64[Tensor, "axis d_model"]
    scale: Float64[Tensor, " d_model"]
    eps: float


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows of one layer and position, and which of them are the positive and the negative one of a pair, if any are."""

    rows: Rows
    positive: Bool[Tensor, " row"]
    pairs: Int[Tensor, "pair 2"]

    @cached_property
    def means(self) -> Float64[Tensor, "2 d_model"]:
        """Of the negative and of the positive rows; zero where there is none."""
        kinds = (self.rows[self.positive == kind].double() for kind in (False, True))
        return torch.stack([kind.sum(0) / max(len(kind), 1) for kind in kinds])

    @cached_property
    def moments(self) -> Moments:
        """Class 0 is negative, class 1 positive."""
        return Moments.of(self.rows, self.positive.long(), 2)

    def spectrum(self) -> Spectrum:
        """Of the rows around their mean."""
        rows = self.rows.double()
        _, singular, axes = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)  # of the rows: they may be few
        return Spectrum(singular.square(), axes, torch.ones_like(axes[0]), torch.finfo(torch.float64).eps)

    def apart(self) -> tuple[Float64[Tensor, ""], Float64[Tensor, " d_model"], Float64[Tensor, " d_model"]] | None:
        """Mean square of the differences of pairs along their first axis, uncentred; that axis; their mean."""
        if not len(self.pairs):
            return None
        differences = (self.rows[self.pairs[:, 0]] - self.rows[self.pairs[:, 1]]).double()
        _, singular, axes = torch.linalg.svd(differences, full_matrices=False)
        return singular[0].square() / len(differences), axes[0], differences.mean(0)


@dataclass(frozen=True, eq=False)
class SummedRows:
    """What is left of rows that were summed up: all that methods without a loss to walk down ask for.

    Attributes:
        moments: class 0 is negative, class 1 positive.
        differences: of pairs, the positive less the negative one; None without pairs.
    """

    moments: Moments
    differences: Moments | None = None

    @property
    def means(self) -> Float64[Tensor, "2 d_model"]:
        """Of the negative and of the positive rows."""
        return self.moments.means

    def spectrum(self) -> Spectrum:
        """As `LabelledRows` has it; of rows at variance 1, since products in single precision have as many digits."""
        scale = divisor(self.moments.total.diagonal().sqrt(), self.moments.mean)
        values, vectors = torch.linalg.eigh(self.moments.total / scale / scale.unsqueeze(1))
        return Spectrum(values, vectors.T, scale, torch.finfo(torch.float32).eps)

    def apart(self) -> tuple[Float64[Tensor, ""], Float64[Tensor, " d_model"], Float64[Tensor, " d_model"]] | None:
        """As `LabelledRows` has it."""
        if self.differences is None:
            return None
        mean, n = self.differences.mean, self.differences.n
        values, vectors = torch.linalg.eigh(self.differences.within / n + mean.outer(mean))
        return values[-1].clamp(min=0), vectors[:, -1], mean


Labelled = LabelledRows | SummedRows


@dataclass(frozen=True, eq=False)
class Parts:
    """Which rows are train, dev and test, which are positive, and which belong together.

    Attributes:
        group: a number per group; groups that share a text are one.
        partners: rows of the positive and the negative text of each pair.
    """

    positive: Bool[np.ndarray, " row"]
    split: np.ndarray
    group: Int[np.ndarray, " row"]
    partners: Int[np.ndarray, "pair 2"]

    @classmethod
    def of(cls, contrast: Contrast) -> "Parts":
        """The parts of a contrast, in the order of `Contrast.joint`."""
        joint = contrast.joint
        groups = clusters_of(tied_groups(said(joint).texts, joint.groups))
        return cls(contrast.labels, np.array(joint.splits), groups, contrast.partners)

    def within(self, split: str) -> Places:
        """Rows of one split."""
        return np.flatnonzero(self.split == split)

    def among(self, places: Places) -> "Parts":
        """The parts of some rows, numbered anew; pairs that lie within them are kept."""
        index = np.full(len(self.positive), -1)
        index[places] = np.arange(len(places))
        pairs = index[self.partners].reshape(-1, 2)
        inside = pairs[(pairs >= 0).all(1)]
        return Parts(self.positive[places], self.split[places], self.group[places], inside)

    def truth(self, split: str) -> Bool[np.ndarray, " place"]:
        """Whether the rows of a split are positive."""
        return self.positive[self.within(split)]

    def have_both(self, places: Places) -> bool:
        """Whether there is a text of either kind among some rows."""
        return 0 < int(self.positive[places].sum()) < len(places)

    def sample(self, rows: Rows, places: Places) -> LabelledRows:
        """Some rows as a method wants them; pairs that lie within them are kept."""
        own = self.among(places)
        return LabelledRows(rows[places], torch.from_numpy(own.positive), torch.from_numpy(own.partners))


def pooled_std(scores: Scores, positive: Bool[np.ndarray, " place"]) -> float:
    """Root mean square distance of scores from the mean of their class."""
    apart = [scores[positive == kind] - scores[positive == kind].mean() for kind in (False, True)]
    return float(np.sqrt(np.mean(np.concatenate(apart) ** 2)))


def standardised_distance(scores: Scores, positive: Bool[np.ndarray, " place"]) -> float:
    """Distance of the class means in standard deviations (Cohen's d, the classes' variances averaged)."""
    spread = np.sqrt((scores[positive].var() + scores[~positive].var()) / 2)
    return float((scores[positive].mean() - scores[~positive].mean()) / spread) if spread > 0 else 0.0


def visible(examples: Examples) -> Sequence[str]:
    """What can be seen of each text: prompt and answer, where it is an answer."""
    if PROMPT not in examples.columns:
        return examples.texts
    return [f"{prompt}\n{text}" for prompt, text in zip(examples.columns[PROMPT], examples.texts, strict=True)]


def surface_of(train: Sequence[str], labels: Labels, texts: Sequence[str]) -> dict[str, Float[np.ndarray, " new_text"]]:
    """How much more each surface reader takes new texts for positive than for negative, in nats."""
    scores = surface_scores(train, labels.astype(np.int64), 2, texts)
    return {name: np.round(values[:, 1] - values[:, 0], 9) for name, values in scores.items()}  # sums in any order tie


def matched(texts: Sequence[str], labels: Labels, seed: int) -> Int[np.ndarray, " kept"]:
    """Indices of as many positive as negative texts of each length in words and last character, drawn at random."""
    strata: dict[tuple[int, str], dict[bool, list[int]]] = defaultdict(lambda: {True: [], False: []})
    for i in np.random.default_rng(seed).permutation(len(texts)).tolist():
        strata[length_in_words(texts[i]), ending(texts[i])][bool(labels[i])].append(i)
    kept = [i for kinds in strata.values() for two in zip(kinds[True], kinds[False], strict=False) for i in two]
    return np.array(sorted(kept), dtype=np.int64)

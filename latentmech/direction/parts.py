"""Rows with their labels: what every method starts from, and which rows are train, dev and test."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from latentmech.activations import Moments
from latentmech.data import Contrast

Rows = Float[Tensor, "row d_model"]
Places = Int[np.ndarray, " place"]


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Training rows of one layer and position.

    Attributes:
        rows: activations.
        positive: whether a row comes from a positive text.
        pairs: rows of the positive and the negative text of each pair; none if texts are not paired.
    """

    rows: Rows
    positive: Bool[Tensor, " row"]
    pairs: Int[Tensor, "pair 2"]

    @cached_property
    def moments(self) -> Moments:
        """Class 0 is negative, class 1 positive."""
        return Moments.of(self.rows, self.positive.long(), 2)

    @cached_property
    def differences(self) -> Moments:
        """Moments of positive minus negative, pair by pair; a single class."""
        differences = self.rows[self.pairs[:, 0]] - self.rows[self.pairs[:, 1]]
        return Moments.of(differences, torch.zeros(len(differences), dtype=torch.long), 1)


@dataclass(frozen=True, eq=False)
class Parts:
    """Which rows are train, dev and test, which are positive, and which belong together.

    Attributes:
        positive: per row, whether its text is a positive one.
        split: per row, `train`, `dev` or `test`.
        group: per row, a number per group.
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
        group = np.unique(np.array(joint.groups, dtype=object), return_inverse=True)[1]
        return cls(contrast.labels, np.array(joint.splits), group, contrast.partners)

    def within(self, split: str) -> Places:
        """Rows of one split."""
        return np.flatnonzero(self.split == split)

    def truth(self, split: str) -> Bool[np.ndarray, " place"]:
        """Whether the rows of a split are positive."""
        return self.positive[self.within(split)]

    def sample(self, rows: Rows, places: Places) -> LabelledRows:
        """Some rows as a method wants them; pairs that lie within them are kept."""
        index = np.full(len(self.positive), -1)
        index[places] = np.arange(len(places))
        pairs = index[self.partners].reshape(-1, 2)
        pairs = pairs[(pairs >= 0).all(1)]
        return LabelledRows(rows[places], torch.from_numpy(self.positive[places]), torch.from_numpy(pairs))


def spread_along(sample: LabelledRows, vector: Float[Tensor, " d_model"]) -> float:
    """Pooled standard deviation of the rows along a unit vector: root mean square distance from their class's mean."""
    along: Float64[np.ndarray, " row"] = (sample.rows @ vector.to(sample.rows)).double().numpy()
    positive = sample.positive.numpy()
    apart = [along[positive == kind] - along[positive == kind].mean() for kind in (False, True)]
    return float(np.sqrt(np.mean(np.concatenate(apart) ** 2)))

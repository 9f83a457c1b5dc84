"""`Moments`: what one pass over activations has to remember for every method that is linear in second moments.

Counts, class means and the pooled within-class scatter, merged by the update of Chan, Golub and LeVeque
(1979, "Updating formulae and a pairwise algorithm for computing sample variances"):

    S = S_a + S_b + sum_c  n_ac n_bc / (n_ac + n_bc) (m_bc - m_ac)(m_bc - m_ac)^T

Difference of means, LDA, ridge and PCA follow from these without a second look at the rows. Several labellings of the
same rows share their scatter: S_within = S_total - S_between holds for each (`JointMoments`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from latentmech.tensors import divisor

CHUNK = 16384  # rows per product: single precision inside a chunk, double precision between chunks


@dataclass(frozen=True)
class Moments:
    """Class-wise first moments and the pooled second moment of rows `[row d_model]`; `a + b` merges two.

    Attributes:
        counts: rows of each class.
        means: mean of each class (zero for an empty one).
        within: scatter around the class means, summed over classes (not divided by the number of rows).
    """

    counts: Float64[Tensor, " class"]
    means: Float64[Tensor, "class d_model"]
    within: Float64[Tensor, "d_model d_model"]

    @classmethod
    def of(cls, rows: Float[Tensor, "row d_model"], labels: Int[Tensor, " row"], n_classes: int) -> "Moments":
        """Moments of rows that are in memory, a chunk at a time."""
        pieces = [
            _of_chunk(rows[begin : begin + CHUNK], labels[begin : begin + CHUNK], n_classes)
            for begin in range(0, len(rows), CHUNK)
        ]
        return sum(pieces[1:], start=pieces[0])

    def __add__(self, other: "Moments") -> "Moments":
        counts = self.counts + other.counts
        safe = counts.clamp(min=1)
        delta = other.means - self.means
        means = self.means + delta * (other.counts / safe).unsqueeze(1)
        spread = (self.counts * other.counts / safe).unsqueeze(1) * delta
        return Moments(counts, means, self.within + other.within + delta.T @ spread)

    @property
    def n(self) -> float:
        """Rows in all."""
        return float(self.counts.sum())

    @property
    def mean(self) -> Float64[Tensor, " d_model"]:
        """Mean of all rows."""
        return self.counts @ self.means / self.n

    @property
    def between(self) -> Float64[Tensor, "d_model d_model"]:
        """Scatter of the class means around the mean, weighted by class size."""
        centred = self.means - self.mean
        return centred.T @ (self.counts.unsqueeze(1) * centred)

    @property
    def total(self) -> Float64[Tensor, "d_model d_model"]:
        """Scatter around the mean of all rows: within + between."""
        return self.within + self.between

    def standardised(self) -> tuple["Moments", Float64[Tensor, " d_model"], Float64[Tensor, " d_model"]]:
        """The moments of (row - mean) / scale, with that mean and scale (1 where a dimension is constant)."""
        mean = self.mean
        scale = divisor((self.total.diagonal() / self.n).clamp(min=0).sqrt(), mean)
        means = (self.means - mean) / scale
        return Moments(self.counts, means, self.within / scale / scale.unsqueeze(1)), mean, scale


@dataclass(frozen=True)
class JointMoments:
    """Moments of the same rows under several labellings; `a + b` merges two.

    Attributes:
        whole: all rows as one class.
        counts: rows of each class, for each labelling.
        means: mean of each class (zero for an empty one), for each labelling.
    """

    whole: Moments
    counts: tuple[Float64[Tensor, "_"], ...] = ()
    means: tuple[Float64[Tensor, "_ d_model"], ...] = ()

    @classmethod
    def of(
        cls, rows: Float[Tensor, "row d_model"], labels: Int[Tensor, "labelling row"], sizes: Sequence[int]
    ) -> "JointMoments":
        """Moments of rows that are in memory.

        Args:
            labels: a class number of every row, for each labelling.
            sizes: how many classes each labelling has.
        """
        parts = zip(rows.split(CHUNK), labels.split(CHUNK, 1), strict=True)
        pieces = [_jointly(part, own, sizes) for part, own in parts]
        return sum(pieces[1:], start=pieces[0])

    def __add__(self, other: "JointMoments") -> "JointMoments":
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        shares = [(b / n.clamp(min=1)).unsqueeze(1) for b, n in zip(other.counts, counts, strict=True)]
        pairs = zip(self.means, other.means, shares, strict=True)
        return JointMoments(self.whole + other.whole, counts, tuple(a + share * (b - a) for a, b, share in pairs))

    def labelled(self, number: int = 0) -> Moments:
        """The moments under one of the labellings."""
        counts, means = self.counts[number], self.means[number]
        between = Moments(counts, means, torch.zeros_like(self.whole.within)).between
        return Moments(counts, means, self.whole.within - between)


def _jointly(
    rows: Float[Tensor, "row d_model"], labels: Int[Tensor, "labelling row"], sizes: Sequence[int]
) -> JointMoments:
    rows = rows.float()
    whole = _of_chunk(rows, torch.zeros(len(rows), dtype=torch.long), 1)
    centre = whole.means[0].float()
    centred = rows - centre
    counts, means = [], []
    for own, size in zip(labels, sizes, strict=True):
        n = torch.bincount(own, minlength=size).double()
        sums = torch.zeros(size, rows.shape[1]).index_add_(0, own, centred).double()
        mean = centre.double() + sums / n.clamp(min=1).unsqueeze(1)
        counts.append(n)
        means.append(mean * (n > 0).unsqueeze(1))
    return JointMoments(whole, tuple(counts), tuple(means))


def _of_chunk(rows: Float[Tensor, "row d_model"], labels: Int[Tensor, " row"], n_classes: int) -> Moments:
    one_hot = torch.nn.functional.one_hot(labels, n_classes).to(rows.dtype)
    counts = one_hot.sum(0).double()
    means = one_hot.T @ rows / one_hot.sum(0).clamp(min=1).unsqueeze(1)
    centred = rows - means[labels]
    residue = (one_hot.T @ centred).double()  # what rounding left of the class sums
    shift = residue / counts.clamp(min=1).unsqueeze(1)
    # The scatter was taken around the rounded means: with a mean of 2.6e4 and a spread of 1 that adds a thousandth.
    within = (centred.T @ centred).double() - residue.T @ shift
    return Moments(counts, means.double() + shift, within)

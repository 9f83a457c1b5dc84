"""`Sample`: the rows of one candidate, labelled and paired, and their moments; what every method starts from."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.activations import Moments


@dataclass(frozen=True)
class Sample:
    """Training rows of one layer and position.

    Attributes:
        rows: activations.
        positive: whether a row comes from a positive text.
        pairs: rows of the positive and the negative text of each pair; none if texts are not paired.
    """

    rows: Float[Tensor, "row d_model"]
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

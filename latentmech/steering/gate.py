"""The condition of a conditional edit, and its threshold, learned on dev."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.model import Edit
from latentmech.steering.interventions import Conditional


@dataclass(frozen=True)
class Gate:
    """Makes edits that reach only tokens beyond a threshold along a unit vector.

    Attributes:
        by: `cosine` or `projection`.
    """

    vector: Float[Tensor, " d_model"]
    threshold: float
    by: str

    def __call__(self, edit: Edit) -> Conditional:
        """The edit behind the gate."""
        return Conditional(edit, self.vector, self.threshold, self.by)


def learned(
    rows: Float[Tensor, "text d_model"],
    positive: Bool[np.ndarray, " text"],
    vector: Float[Tensor, " d_model"],
    by: str,
) -> Gate:
    """The gate that opens for most positive and fewest negative texts.

    Args:
        rows: activations of dev texts where the edit is made.
    """
    along = rows.double() @ vector.double()
    values = along / rows.double().norm(dim=1).clamp(min=1e-30) if by == "cosine" else along
    return Gate(vector, threshold(values.numpy(), positive), by)


def threshold(values: Float[np.ndarray, " text"], positive: Bool[np.ndarray, " text"]) -> float:
    """The value above which most positive and fewest negative texts lie (Youden's index), midway between neighbours.

    Args:
        values: cosine or projection of each dev text on the gate.
    """
    ordered = np.unique(values)
    cuts = np.concatenate([[ordered[0] - 1e-6], (ordered[1:] + ordered[:-1]) / 2])
    gains = [(values[positive] > cut).mean() - (values[~positive] > cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(gains))])

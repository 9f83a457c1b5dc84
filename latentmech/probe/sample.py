"""`Sample`: the rows that probes of one or more levels are fitted to, standardised by their training part alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Activations, Moments


@dataclass(frozen=True)
class Sample:
    """Standardised rows, and the spectrum of their correlation matrix, which every solver shares.

    Attributes:
        train: training rows, mean 0 and variance 1 in every dimension (0 where it is constant).
        dev: development rows in the same coordinates.
        mean: what was subtracted.
        scale: what was divided by.
        eigenvalues: of `train.T @ train / row`.
        eigenvectors: in columns.
    """

    train: Float[Tensor, "level row d_model"]
    dev: Float[Tensor, "level other d_model"]
    mean: Float[Tensor, "level d_model"]
    scale: Float[Tensor, "level d_model"]
    eigenvalues: Float[Tensor, "level d_model"]
    eigenvectors: Float[Tensor, "level d_model d_model"]

    @property
    def n_levels(self) -> int:
        """How many levels are solved together."""
        return self.train.shape[0]


def sample_of(activations: Activations, hook_names: Sequence[str], train: Tensor, dev: Tensor) -> Sample:
    """Read levels and standardise them.

    Args:
        train: row numbers of the training part.
        dev: row numbers of the development part.
    """
    parts = [_one_level(activations.level(name), train, dev) for name in hook_names]
    return Sample(*(_stacked(column) for column in zip(*parts, strict=True)))


def _one_level(
    rows: Float[Tensor, "row d_model"], train: Int[Tensor, " train"], dev: Int[Tensor, " dev"]
) -> tuple[Tensor, ...]:
    """Standardised train and dev rows with mean, scale and spectrum of one level."""
    fit, held = rows[train], rows[dev]
    moments, mean, scale = Moments.of(fit, torch.zeros(len(fit), dtype=torch.long), 1).standardised()
    eigenvalues, eigenvectors = torch.linalg.eigh(moments.total / moments.n)
    for part in (fit, held):
        part.sub_(mean.float()).div_(scale.float())
    return fit, held, mean.float(), scale.float(), eigenvalues.clamp(min=0).float(), eigenvectors.float()


def _stacked(column: Sequence[Tensor]) -> Tensor:
    """Stack over levels; a single level is not copied."""
    return column[0].unsqueeze(0) if len(column) == 1 else torch.stack(list(column))

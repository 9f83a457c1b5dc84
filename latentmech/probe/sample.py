"""`Sample`: the rows that probes of one or more levels are fitted to, standardised by their training part alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Activations
from latentmech.probe.side_by_side import side_by_side

CHUNK = 16384  # rows per product: single precision inside a chunk, double precision between chunks


@dataclass(frozen=True)
class Sample:
    """Standardised rows, and the spectrum of their correlation matrix, which every solver shares.

    Attributes:
        train: per level, training rows: mean 0 and variance 1 in every dimension (0 where it is constant).
        dev: per level, development rows in the same coordinates.
        mean: what was subtracted.
        scale: what was divided by.
        eigenvalues: of `train.T @ train / row`.
        eigenvectors: in columns.
    """

    train: tuple[Float[Tensor, "row d_model"], ...]
    dev: tuple[Float[Tensor, "other d_model"], ...]
    mean: Float[Tensor, "level d_model"]
    scale: Float[Tensor, "level d_model"]
    eigenvalues: Float[Tensor, "level d_model"]
    eigenvectors: Float[Tensor, "level d_model d_model"]

    @property
    def n_levels(self) -> int:
        """How many levels are solved together."""
        return len(self.train)

    @property
    def n_rows(self) -> int:
        """Training rows."""
        return len(self.train[0])

    def only(self, levels: Sequence[int]) -> "Sample":
        """Some of the levels; no rows are copied."""
        few = list(levels)
        train, dev = tuple(self.train[i] for i in few), tuple(self.dev[i] for i in few)
        return Sample(train, dev, self.mean[few], self.scale[few], self.eigenvalues[few], self.eigenvectors[few])

    def first(self, n_rows: int) -> "Sample":
        """The first training rows, in the same coordinates and with the same spectrum."""
        return replace(self, train=tuple(rows[:n_rows] for rows in self.train))

    def every(self, step: int) -> "Sample":
        """Every `step`-th training row, in the same coordinates and with the same spectrum."""
        return replace(self, train=tuple(rows[::step].contiguous() for rows in self.train))


def sample_of(activations: Activations, hook_names: Sequence[str], train: Tensor, dev: Tensor) -> Sample:
    """Read levels and standardise them.

    Args:
        train: row numbers of the training part.
        dev: row numbers of the development part.
    """
    return _stacked(side_by_side(lambda name: _one_level(activations.level(name), train, dev), hook_names))


def sample_of_level(
    rows: Float[Tensor, "row d_model"], train: Int[Tensor, " train"], dev: Int[Tensor, " dev"]
) -> Sample:
    """The sample of one level whose rows are in memory."""
    return _stacked([_one_level(rows, train, dev)])


def _stacked(levels: Sequence[tuple[Tensor, ...]]) -> Sample:
    fit, held, *rest = zip(*levels, strict=True)
    return Sample(fit, held, *(torch.stack(column) for column in rest))


def _one_level(
    rows: Float[Tensor, "row d_model"], train: Int[Tensor, " train"], dev: Int[Tensor, " dev"]
) -> tuple[Tensor, ...]:
    """Standardised train and dev rows with mean, scale and spectrum of one level.

    In place, a chunk at a time: at this size new memory costs as much as the arithmetic.
    """
    fit, held = rows[train], rows[dev]
    mean = (sum(x.sum(0).double() for x in fit.split(CHUNK)) / len(fit)).float()
    for part in (fit, held):
        part.sub_(mean)
    covariance = sum((x.T @ x).double() for x in fit.split(CHUNK)) / len(fit)
    scale = _spread(covariance.diagonal(), mean)
    for part in (fit, held):
        part.div_(scale)
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance / scale / scale.unsqueeze(1))
    return fit, held, mean, scale, eigenvalues.clamp(min=0).float(), eigenvectors.float()


def _spread(variance: Float[Tensor, " d_model"], mean: Float[Tensor, " d_model"]) -> Float[Tensor, " d_model"]:
    """Standard deviations; 1 where a dimension is constant.

    Constant is what varies less than single precision resolves: dividing by rounding noise would blow it up.
    """
    scale = variance.sqrt().float()
    return torch.where(scale > torch.finfo(torch.float32).eps * mean.abs(), scale, torch.ones_like(scale))

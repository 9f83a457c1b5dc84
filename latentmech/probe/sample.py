"""`Sample`: the rows that probes of one or more levels are fitted to, standardised by their training part alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Activations
from latentmech.probe.axes import Axes, axes_of

CHUNK = 1024  # rows that stay in the processor's cache: single precision inside, double precision between chunks

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sample:
    """Standardised rows, with what every solver of the same rows shares.

    Attributes:
        train: per level, training rows: mean 0 and variance 1 in every dimension (0 where it is constant).
        dev: per level, development rows in the same coordinates.
        mean: what was subtracted.
        scale: what was divided by.
    """

    train: tuple[Float[Tensor, "row d_model"], ...]
    dev: tuple[Float[Tensor, "other d_model"], ...]
    mean: Float[Tensor, "level d_model"]
    scale: Float[Tensor, "level d_model"]
    _axes: dict[torch.dtype, list[Axes]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def n_levels(self) -> int:
        """How many levels are solved together."""
        return len(self.train)

    @property
    def n_rows(self) -> int:
        """Training rows."""
        return len(self.train[0])

    @cached_property
    def spectrum(self) -> list[tuple[Float[Tensor, " d_model"], Float[Tensor, "d_model d_model"]]]:
        """Eigenvalues and eigenvectors (in columns) of `train.T @ train / row` at every level."""
        return side_by_side(_spectrum, self.train)

    def axes(self, dtype: torch.dtype) -> list[Axes]:
        """The training rows of every level along their principal axes, in numbers of this kind."""
        if dtype not in self._axes:
            self._axes[dtype] = side_by_side(partial(axes_of, dtype=dtype), self.train)
        return self._axes[dtype]

    def only(self, levels: Sequence[int]) -> "Sample":
        """Some of the levels; no rows are copied."""
        few = list(levels)
        if few == list(range(self.n_levels)):
            return self
        train, dev = tuple(self.train[i] for i in few), tuple(self.dev[i] for i in few)
        return Sample(train, dev, self.mean[few], self.scale[few])


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
    fit, held, mean, scale = zip(*levels, strict=True)
    return Sample(fit, held, torch.stack(mean), torch.stack(scale))


def _one_level(
    rows: Float[Tensor, "row d_model"], train: Int[Tensor, " train"], dev: Int[Tensor, " dev"]
) -> tuple[Tensor, ...]:
    """Standardised train and dev rows with mean and scale of one level.

    In place, a chunk at a time: at this size new memory costs as much as the arithmetic.
    """
    fit, held = rows[train], rows[dev]
    mean = (sum(x.sum(0).double() for x in fit.split(CHUNK)) / len(fit)).float()
    scale = _spread(sum(x.sub_(mean).square().sum(0).double() for x in fit.split(CHUNK)) / len(fit), mean)
    fit.div_(scale)
    return fit, held.sub_(mean).div_(scale), mean, scale


def _spread(variance: Float[Tensor, " d_model"], mean: Float[Tensor, " d_model"]) -> Float[Tensor, " d_model"]:
    """Standard deviations; 1 where a dimension is constant.

    Constant is what varies less than single precision resolves: dividing by rounding noise would blow it up.
    """
    scale = variance.sqrt().float()
    return torch.where(scale > torch.finfo(torch.float32).eps * mean.abs(), scale, torch.ones_like(scale))


def _spectrum(rows: Float[Tensor, "row d_model"]) -> tuple[Tensor, Tensor]:
    correlation = sum((x.T @ x).double() for x in rows.split(CHUNK)) / len(rows)
    eigenvalues, eigenvectors = torch.linalg.eigh(correlation)
    return eigenvalues.clamp(min=0).float(), eigenvectors.float()


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], most: int | None = None) -> list[Result]:
    """`work` for every item, in order, on PyTorch's own number of threads or at most `most` of them.

    A thread for each item instead of all threads for each operation: the products of a probe are too narrow for two
    threads to share one well, and threads that meet after every operation wait for each other.
    """
    threads = torch.get_num_threads()
    workers = max(1, min(threads, len(items), most or threads))
    if workers == 1:
        return [work(item) for item in items]
    try:
        with ThreadPoolExecutor(workers, "level", torch.set_num_threads, (threads // workers,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)  # the linear algebra below PyTorch knows one number for all threads

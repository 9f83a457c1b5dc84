"""`Sample`: the rows of a level that probes are fitted to, standardised by their training part alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.axes import Axes, axes_of
from latentmech.tensors import divisor

CHUNK = 1024  # rows that stay in the processor's cache: single precision inside, double precision between chunks

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sample:
    """Standardised rows, with what every solver of the same rows shares.

    Attributes:
        train: training rows: mean 0 and variance 1 in every dimension (0 where it is constant).
        dev: development rows in the same coordinates.
        mean: what was subtracted.
        scale: what was divided by.
    """

    train: Float[Tensor, "row d_model"]
    dev: Float[Tensor, "other d_model"]
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]
    _axes: dict[torch.dtype, Axes] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def spectrum(self) -> tuple[Float[Tensor, " d_model"], Float[Tensor, "d_model d_model"]]:
        """Eigenvalues and eigenvectors (in columns) of `train.T @ train / row`."""
        correlation = sum((x.T @ x).double() for x in self.train.split(CHUNK)) / len(self.train)
        eigenvalues, eigenvectors = torch.linalg.eigh(correlation)
        return eigenvalues.clamp(min=0).float(), eigenvectors.float()

    def axes(self, dtype: torch.dtype) -> Axes:
        """The training rows along their principal axes, in numbers of this kind."""
        if dtype not in self._axes:
            self._axes[dtype] = axes_of(self.train, dtype)
        return self._axes[dtype]


def sample_of(rows: Float[Tensor, "row d_model"], train: Int[Tensor, " train"], dev: Int[Tensor, " dev"]) -> Sample:
    """Standardised train and dev rows, by their numbers among all rows of a level.

    In place, a chunk at a time: at this size new memory costs as much as the arithmetic.
    """
    fit, held = rows[train], rows[dev]
    mean = (sum(x.sum(0).double() for x in fit.split(CHUNK)) / len(fit)).float()
    variance = sum(x.sub_(mean).square().sum(0).double() for x in fit.split(CHUNK)) / len(fit)
    scale = divisor(variance.sqrt().float(), mean)
    return Sample(fit.div_(scale), held.sub_(mean).div_(scale), mean, scale)


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

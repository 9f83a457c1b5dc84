"""`Sample`: the rows of a level that probes are fitted to, standardised by their training part alone; and their axes.

Along its principal axes the curvature of a linear probe's loss is near its diagonal, which is what an iterative solver
needs to know about the rows. Products in bfloat16 (8 bits of mantissa) are two to four times as fast as in float32
where the processor has units for them. Rounding a row so is noise of 0.2 % of each coordinate, independent of the
label; on n rows it moves the loss by some 1e-6 nats a row, against a tolerance of 2e-3.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import JointMoments
from latentmech.tensors import divisor

CHUNK = 1024  # rows that stay in the processor's cache: single precision inside, double precision between chunks
LOOKED_AT = 4096  # rows that show the axes: more would hardly turn them
TURNED = 8192  # rows that are turned at a time

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Axes:
    """One level's rows as `standardised rows @ vectors`.

    Attributes:
        values: mean square of the rows along each axis.
        vectors: the axes, in columns; orthonormal to the precision of the rows.
        rows: coordinates along the axes.
    """

    values: Float[Tensor, " axis"]
    vectors: Float[Tensor, "d_model axis"]
    rows: Float[Tensor, "row axis"]


def fast_dtype() -> torch.dtype:
    """bfloat16 if this processor multiplies it in units of its own, else float32."""
    # newer than the oldest PyTorch that will do
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    units = ("amx_bf16", "avx512_bf16", "sve_bf16")
    return torch.bfloat16 if any(capabilities.get(unit) for unit in units) else torch.float32


def axes_of(rows: Float[Tensor, "row d_model"], dtype: torch.dtype) -> Axes:
    """Find the axes of standardised rows and turn the rows to them."""
    some = rows[:: 1 + len(rows) // LOOKED_AT].to(dtype)
    vectors = torch.linalg.eigh((some.T @ some).float() / len(some))[1].to(dtype)
    turned = torch.empty(rows.shape, dtype=dtype)
    for here, there in zip(rows.split(TURNED), turned.split(TURNED), strict=True):
        torch.mm(here.to(dtype), vectors, out=there)
    values = turned[:: 1 + len(rows) // LOOKED_AT].float().square().mean(0)
    return Axes(values, vectors.float(), turned)


@dataclass(frozen=True)
class Sample:
    """Standardised rows, with what every solver of the same rows shares.

    Attributes:
        train: training rows: mean 0 and variance 1 in every dimension (0 where it is constant).
        dev: development rows in the same coordinates.
        mean: what was subtracted.
        scale: what was divided by.
        moments: of the training rows, where these were summed up and are not there.
    """

    train: Float[Tensor, "row d_model"]
    dev: Float[Tensor, "other d_model"]
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]
    moments: JointMoments | None = None
    _axes: dict[torch.dtype, Axes] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def n(self) -> int:
        """How many training rows there are."""
        return len(self.train) if self.moments is None else int(self.moments.whole.n)

    @cached_property
    def spectrum(self) -> tuple[Float[Tensor, " d_model"], Float[Tensor, "d_model d_model"]]:
        """Eigenvalues and eigenvectors (in columns) of `train.T @ train / row`."""
        if self.moments is None:
            correlation = sum((x.T @ x).double() for x in self.train.split(CHUNK)) / self.n
        else:
            correlation = self.moments.whole.within / self.n / self.scale.double() / self.scale.double().unsqueeze(1)
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


def summed_sample(moments: JointMoments, rows: Float[Tensor, "row d_model"], dev: Int[Tensor, " dev"]) -> Sample:
    """The same from moments of the training rows, and dev rows by their numbers among those that were kept."""
    mean = moments.whole.mean.float()
    scale = divisor((moments.whole.within.diagonal() / moments.whole.n).sqrt().float(), mean)
    return Sample(rows[:0], rows[dev].sub_(mean).div_(scale), mean, scale, moments)


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

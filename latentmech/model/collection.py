"""The reference's way to rows: hooks that pool each row of a batch straight into where it is to lie."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import ResourceError
from latentmech.model.batching import Batch, batches_under, out_of_memory
from latentmech.model.doors import reading
from latentmech.model.rows import Progress, Request, pool, poolings_of


def read_rows(
    buffers: Sequence[Float[Tensor, "row d_model"]],
    request: Request,
    texts: Sequence[int],
    token_budget: int = 1024,
    progress: Progress = int,
) -> None:
    """Fill one buffer for each hook point with all requested rows in `texts`, as `request.rows_in(texts)` has them.

    Hooks copy straight into the buffers, which hold NaN until they are written. When memory runs out a batch is halved
    and tried again; the result is the same to rounding. Arguments are those of `Engine.read`.

    Raises:
        ResourceError: a single text does not fit into memory.
    """
    aim = _Aim(request)
    filled = 0
    for buffer in buffers:
        buffer.fill_(torch.nan)
    with reading(request.model, {name: partial(aim.keep, i) for i, name in enumerate(request.hook_names)}) as run:
        for batch in batches_under(texts, request.tokens.lengths, token_budget):
            size = len(request.rows_in(batch))
            _fill(run, aim, batch, [buffer[filled : filled + size] for buffer in buffers])
            filled += size
            progress(int(request.tokens.lengths[batch].sum()))
    arrived(request.model.torch_device)


def arrived(device: torch.device) -> None:
    """Wait until all that was sent to page-locked memory is there."""
    if device.type == "cuda":
        for i in range(torch.cuda.device_count()):
            torch.cuda.synchronize(i)


class _Aim:
    """Where the rows of the batch that runs next belong: hooks are set once, and look here at every batch."""

    def __init__(self, request: Request):
        self.request = request
        self.target: Sequence[Tensor] = ()
        self.place, self.first, self.last = (torch.empty(0, dtype=torch.long) for _ in range(3))

    def at(self, batch: Sequence[int], target: Sequence[Tensor]) -> None:
        """Find the rows of `batch` in it as it is padded, and take `target` as their place."""
        lengths, rows = self.request.tokens.lengths, self.request.rows[self.request.rows_in(batch)]
        slot = {text: i for i, text in enumerate(batch)}
        place = np.array([slot[text] for text in rows[:, 0].tolist()], dtype=np.int64)
        left = self.request.padding_side == "left"
        shift = lengths[batch].max() - lengths[rows[:, 0]] if left else np.zeros(len(rows), dtype=np.int64)
        indices = place, rows[:, 1] + shift, rows[:, 2] + shift
        device = self.request.model.torch_device
        self.place, self.first, self.last = (torch.from_numpy(index).to(device) for index in indices)
        self.target = target

    def keep(self, level: int, activation: Tensor) -> None:
        """Pool the rows of one hook point into their place."""
        names = poolings_of(self.request.pooling)
        for i, name in enumerate(names):
            own = slice(i, None, len(names))
            place, first, last = (index[own].to(activation.device) for index in (self.place, self.first, self.last))
            pool(name, activation, place, first, last, self.target[level][own])


def _fill(run: Callable[[Batch], None], aim: _Aim, batch: list[int], target: Sequence[Tensor]) -> None:
    """Run one batch into `target`; in halves if it does not fit into memory."""
    try:
        aim.at(batch, target)
        run(aim.request.padded(batch))
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        if len(batch) == 1:
            size = len(aim.request.tokens.ids[batch[0]])
            raise ResourceError(f"one text of {size} tokens does not fit into memory; shorten or remove it") from error
    else:
        return
    middle = len(batch) // 2
    size = len(aim.request.rows_in(batch[:middle]))
    _fill(run, aim, batch[:middle], [part[:size] for part in target])
    _fill(run, aim, batch[middle:], [part[size:] for part in target])

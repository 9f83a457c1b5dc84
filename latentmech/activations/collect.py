"""`collect`: run the backbone over texts and keep chosen rows of chosen hook points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations.pooling import POOLINGS
from latentmech.errors import ResourceError
from latentmech.model import Batch, Model, Tokens, batches_under, pad, read_backbone

Progress = Callable[[int], object]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which rows of which hook points are wanted.

    Attributes:
        tokens: the tokenised texts.
        rows: (text, first token, last token) of each row, in any order.
        hook_names: TransformerLens hook points, in order of depth.
        pooling: `last`, `first` or `mean` of a row's tokens.
        padding_side: `right` or `left`.
    """

    model: Model
    tokens: Tokens
    rows: Int[np.ndarray, "row 3"]
    hook_names: tuple[str, ...]
    pooling: str = "last"
    padding_side: str = "right"

    @cached_property
    def of_text(self) -> dict[int, np.ndarray]:
        """Row numbers by text."""
        order = np.argsort(self.rows[:, 0], kind="stable")
        texts, begin = np.unique(self.rows[order, 0], return_index=True)
        return dict(zip(texts.tolist(), np.split(order, begin[1:]), strict=True))

    def rows_in(self, texts: Sequence[int]) -> Int[np.ndarray, " row"]:
        """Numbers of the rows that lie in `texts`, text by text."""
        return np.concatenate([self.of_text.get(text, np.empty(0, dtype=np.int64)) for text in texts])

    @property
    def bytes_per_row(self) -> int:
        """What one row takes on disk, over all hook points."""
        return len(self.hook_names) * self.model.d_model * getattr(torch, self.model.dtype).itemsize

    def padded(self, texts: Sequence[int]) -> Batch:
        """The texts as one batch; any pad id will do, since the mask hides it."""
        pad_id = self.model.tokenizer.pad_token_id or 0
        return pad([self.tokens.ids[t] for t in texts], pad_id, self.padding_side, self.model.torch_device)


def collect(
    request: Request, texts: Sequence[int], token_budget: int = 1024, progress: Progress = int
) -> Float[Tensor, "level row d_model"]:
    """Activations of all requested rows in `texts`, in the order of `request.rows_in(texts)`.

    See `collect_into`, which fills a buffer made for this.
    """
    shape = (len(request.hook_names), len(request.rows_in(texts)), request.model.d_model)
    buffer = torch.empty(shape, dtype=getattr(torch, request.model.dtype))
    collect_into(buffer.unbind(), request, texts, token_budget, progress)
    return buffer


def collect_into(
    buffers: Sequence[Float[Tensor, "row d_model"]],
    request: Request,
    texts: Sequence[int],
    token_budget: int = 1024,
    progress: Progress = int,
) -> None:
    """Fill one buffer for each hook point with all requested rows in `texts`, as `request.rows_in(texts)` has them.

    Hooks copy straight into the buffers. When memory runs out a batch is halved and tried again; the result is the
    same to rounding.

    Args:
        texts: which texts to run; best of similar length, longest first.
        token_budget: tokens per batch, padding included.
        progress: called with the number of tokens done since the last call.

    Raises:
        ResourceError: a single text does not fit into memory.
    """
    filled = 0
    for batch in batches_under(texts, request.tokens.lengths, token_budget):
        size = len(request.rows_in(batch))
        _fill(request, batch, [buffer[filled : filled + size] for buffer in buffers])
        filled += size
        progress(int(request.tokens.lengths[batch].sum()))


def _fill(request: Request, batch: Sequence[int], target: Sequence[Float[Tensor, "row d_model"]]) -> None:
    """Run one batch into `target`; in halves if it does not fit into memory."""
    try:
        read_backbone(request.model, request.padded(batch), _readers(request, batch, target))
    except (RuntimeError, MemoryError) as error:
        if not _out_of_memory(error):
            raise
        if len(batch) == 1:
            size = len(request.tokens.ids[batch[0]])
            raise ResourceError(f"one text of {size} tokens does not fit into memory; shorten or remove it") from error
    else:
        return
    middle = len(batch) // 2
    size = len(request.rows_in(batch[:middle]))
    _fill(request, batch[:middle], [part[:size] for part in target])
    _fill(request, batch[middle:], [part[size:] for part in target])


def _readers(request: Request, batch: Sequence[int], target: Sequence[Tensor]) -> dict[str, Callable[[Tensor], None]]:
    """For each hook point, a function that pools the rows of this batch into their place in `target`."""
    rows = request.rows[request.rows_in(batch)]
    longest = int(request.tokens.lengths[list(batch)].max())
    left = request.padding_side == "left"
    slot = {text: i for i, text in enumerate(batch)}
    shift = [longest - len(request.tokens.ids[t]) if left else 0 for t in rows[:, 0].tolist()]
    place = torch.tensor([slot[t] for t in rows[:, 0].tolist()], dtype=torch.long)
    first, last = (torch.from_numpy(rows[:, column] + np.array(shift, dtype=np.int64)) for column in (1, 2))
    where = tuple(t.to(request.model.torch_device) for t in (place, first, last))

    def keep(level: int, activation: Tensor) -> None:
        target[level][:] = POOLINGS[request.pooling](activation, *where)

    return {name: partial(keep, level) for level, name in enumerate(request.hook_names)}


def _out_of_memory(error: BaseException) -> bool:
    """The CPU's allocator raises a plain RuntimeError, known by its words only."""
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or "not enough memory" in str(error) or "can't allocate memory" in str(error)

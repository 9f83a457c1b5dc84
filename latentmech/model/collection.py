"""`collect`: run the backbone over texts and keep chosen rows of chosen hook points.

A row is a word, or a text: the vectors of its tokens become one, written where it is to lie.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.errors import ResourceError
from latentmech.model.batching import Batch, batches_under, out_of_memory, pad
from latentmech.model.doors import reading
from latentmech.model.handle import Model
from latentmech.model.tokens import Tokens

POOLINGS = ("last", "first", "mean", "weighted_mean")
Progress = Callable[[int], object]
Resid = Float[Tensor, "batch pos d_model"]
Index = Int[Tensor, " row"]
Rows = Float[Tensor, "row d_model"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which rows of which hook points are wanted.

    Attributes:
        rows: (text, first token, last token) of each row, in any order.
        hook_names: TransformerLens hook points, in order of depth.
        pooling: `last`, `first`, `mean` or `weighted_mean` of a row's tokens; with `last+mean` rows of the same tokens
            follow each other, pooled in turn.
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
    """Activations of all requested rows in `texts`, as `collect_into` fills a buffer that is made for them."""
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

    Hooks copy straight into the buffers, which hold NaN until they are written. When memory runs out a batch is halved
    and tried again; the result is the same to rounding.

    Args:
        texts: which texts to run; best of similar length, longest first.
        token_budget: tokens per batch, padding included.
        progress: called with the number of tokens done since the last call.

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
            pool(name, activation, self.place[own], self.first[own], self.last[own], self.target[level][own])


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


def pool(name: str, activation: Resid, place: Index, first: Index, last: Index, out: Rows) -> None:
    """Make one vector of the tokens of each row, into `out`.

    last            under causal attention the only token that has seen the whole word
    first           its first token
    mean            of its tokens, each row summed by itself: differences of running sums would lose digits
    weighted_mean   with weights 1, 2, 3, … along the row: under causal attention later tokens have seen more
                    (Muennighoff 2022, "SGPT: GPT sentence embeddings for semantic search")
    """
    if name in ("last", "first"):
        _pick(activation, place, last if name == "last" else first, out)
        return
    rising = name == "weighted_mean"
    total = torch.zeros(len(place), activation.shape[-1], dtype=torch.float32, device=activation.device)
    for offset in range(int((last - first).max()) + 1):
        inside = (first + offset <= last).nonzero().squeeze(1)
        tokens = activation[place[inside], first[inside] + offset].float()
        total.index_add_(0, inside, tokens, alpha=offset + 1 if rising else 1)
    size = (last - first + 1).unsqueeze(1)
    out.copy_(total / (size * (size + 1) / 2 if rising else size))


def _pick(activation: Resid, place: Index, token: Index, out: Rows) -> None:
    """One token of each row, straight into `out` where it is on the same device."""
    tokens = rearrange(activation, "batch pos d_model -> (batch pos) d_model")
    index = place * activation.shape[1] + token
    if out.device == activation.device and out.is_contiguous():
        torch.index_select(tokens, 0, index, out=out)
    else:
        out.copy_(tokens[index])


def poolings_of(names: str) -> tuple[str, ...]:
    """The poolings in `mean`, or in `last+mean`: several of the same tokens, which share one forward."""
    return tuple(names.split("+"))

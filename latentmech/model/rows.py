"""`Request`: which rows of which hook points are wanted, and how the tokens of one become a vector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.model.batching import Batch, pad
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
    out.copy_(total / (size * (size + 1) / 2 if rising else size), non_blocking=out.is_pinned())


def _pick(activation: Resid, place: Index, token: Index, out: Rows) -> None:
    """One token of each row, straight into `out` where it is on the same device."""
    tokens = rearrange(activation, "batch pos d_model -> (batch pos) d_model")
    index = place * activation.shape[1] + token
    if out.device == activation.device and out.is_contiguous():
        torch.index_select(tokens, 0, index, out=out)
    else:
        out.copy_(tokens[index], non_blocking=out.is_pinned())


def host_memory(n_bytes: int, device: torch.device) -> Tensor:
    """Bytes on the host for rows to be put into: page-locked for a GPU, which computes on while it copies there."""
    return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=device.type == "cuda")


def poolings_of(names: str) -> tuple[str, ...]:
    """The poolings in `mean`, or in `last+mean`: several of the same tokens, which share one forward."""
    return tuple(names.split("+"))

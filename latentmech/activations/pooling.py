"""From the tokens of a word (or text) to one vector, written where it is to lie."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Resid = Float[Tensor, "batch pos d_model"]
Index = Int[Tensor, " row"]
Rows = Float[Tensor, "row d_model"]


def last(activation: Resid, place: Index, first: Index, last: Index, out: Rows) -> None:
    """The last token of each row: under causal attention the only one that has seen the whole word."""
    del first
    _pick(activation, place, last, out)


def first(activation: Resid, place: Index, first: Index, last: Index, out: Rows) -> None:
    """The first token of each row."""
    del last
    _pick(activation, place, first, out)


def mean(activation: Resid, place: Index, first: Index, last: Index, out: Rows) -> None:
    """The mean over each row's tokens, each summed by itself: differences of running sums would lose digits."""
    total = _weighted_sum(activation, place, first, last, _evenly)
    out.copy_(total / (last - first + 1).unsqueeze(1))


def weighted_mean(activation: Resid, place: Index, first: Index, last: Index, out: Rows) -> None:
    """The mean with weights 1, 2, 3, … along each row: under causal attention later tokens have seen more.

    Muennighoff 2022, "SGPT: GPT sentence embeddings for semantic search".
    """
    total = _weighted_sum(activation, place, first, last, _rising)
    size = (last - first + 1).unsqueeze(1)
    out.copy_(total / (size * (size + 1) / 2))


def _evenly(offset: int) -> float:
    del offset
    return 1.0


def _rising(offset: int) -> float:
    return offset + 1.0


def _weighted_sum(
    activation: Resid, place: Index, first: Index, last: Index, weight: Callable[[int], float]
) -> Float[Tensor, "row d_model"]:
    """The sum over each row's tokens, the one at `offset` from its first counted `weight(offset)` times."""
    width = int((last - first).max()) + 1
    total = torch.zeros(len(place), activation.shape[-1], dtype=torch.float32, device=activation.device)
    for offset in range(width):
        inside = (first + offset <= last).nonzero().squeeze(1)
        tokens = activation[place[inside], first[inside] + offset].float()
        total.index_add_(0, inside, tokens, alpha=weight(offset))
    return total


def _pick(activation: Resid, place: Index, token: Index, out: Rows) -> None:
    """One token of each row, straight into `out` where it is on the same device."""
    tokens, index = activation.flatten(0, 1), place * activation.shape[1] + token
    if out.device == activation.device and out.is_contiguous():
        torch.index_select(tokens, 0, index, out=out)
    else:
        out.copy_(tokens[index])


POOLINGS = {"last": last, "first": first, "mean": mean, "weighted_mean": weighted_mean}


def poolings_of(names: str) -> tuple[str, ...]:
    """The poolings in `mean`, or in `last+mean`: several of the same tokens, which share one forward."""
    return tuple(names.split("+"))

"""From the tokens of a word (or text) to one vector, written where it is to lie."""

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
    width = int((last - first).max()) + 1
    total = torch.zeros(len(place), activation.shape[-1], dtype=torch.float32, device=activation.device)
    for offset in range(width):
        inside = first + offset <= last
        total[inside] += activation[place[inside], first[inside] + offset].float()
    out.copy_(total / (last - first + 1).unsqueeze(1))


def _pick(activation: Resid, place: Index, token: Index, out: Rows) -> None:
    """One token of each row, straight into `out` where it is on the same device."""
    tokens, index = activation.flatten(0, 1), place * activation.shape[1] + token
    if out.device == activation.device:
        torch.index_select(tokens, 0, index, out=out)
    else:
        out.copy_(tokens[index])


POOLINGS = {"last": last, "first": first, "mean": mean}

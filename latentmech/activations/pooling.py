"""From the tokens of a word (or text) to one vector."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

Resid = Float[Tensor, "batch pos d_model"]
Index = Int[Tensor, " row"]
Rows = Float[Tensor, "row d_model"]


def last(activation: Resid, place: Index, first: Index, last: Index) -> Rows:
    """The last token of each row: under causal attention the only one that has seen the whole word."""
    del first
    return activation[place, last]


def first(activation: Resid, place: Index, first: Index, last: Index) -> Rows:
    """The first token of each row."""
    del last
    return activation[place, first]


def mean(activation: Resid, place: Index, first: Index, last: Index) -> Rows:
    """The mean over each row's tokens, each summed by itself: differences of running sums would lose digits."""
    width = int((last - first).max()) + 1
    total = torch.zeros(len(place), activation.shape[-1], dtype=torch.float32, device=activation.device)
    for offset in range(width):
        inside = first + offset <= last
        total[inside] += activation[place[inside], first[inside] + offset].float()
    return (total / (last - first + 1).unsqueeze(1)).to(activation.dtype)


POOLINGS = {"last": last, "first": first, "mean": mean}

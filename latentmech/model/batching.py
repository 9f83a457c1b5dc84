"""Batches of similar length under a token budget, padded by us: ids and mask always travel together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

PADDING_SIDES = ("right", "left")


@dataclass(frozen=True)
class Batch:
    """Padded token ids with their mask. A mask guessed from ids would hide real tokens where pad equals EOS."""

    ids: Int[Tensor, "batch pos"]
    mask: Int[Tensor, "batch pos"]
    shift: Int[Tensor, " batch"]  # where each text begins: its padding on the left


def length_sorted(lengths: Int[np.ndarray, " text"]) -> list[int]:
    """Indices from the longest text to the shortest, so that what does not fit is known at once."""
    return np.lexsort((np.arange(len(lengths)), -lengths)).tolist()


def batches_under(order: Sequence[int], lengths: Int[np.ndarray, " text"], token_budget: int) -> list[list[int]]:
    """Cut `order` into batches of at most `token_budget` tokens, padding included; a longer text goes alone."""
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        longest = max(longest, int(lengths[index])) if batches else int(lengths[index])
        if not batches or (len(batches[-1]) + 1) * longest > token_budget:
            batches.append([])
            longest = int(lengths[index])
        batches[-1].append(index)
    return batches


def pad(rows: Sequence[Int[np.ndarray, "_"]], pad_id: int, side: str, device: torch.device) -> Batch:
    """Pad token ids on one side."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    shift = np.array([longest - len(row) if side == "left" else 0 for row in rows], dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, shift[i] : shift[i] + len(row)] = row
        mask[i, shift[i] : shift[i] + len(row)] = 1
    return Batch(*(torch.from_numpy(a).to(device) for a in (ids, mask, shift)))

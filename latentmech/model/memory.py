"""How an error says that memory ran out."""

import torch


def out_of_memory(error: BaseException) -> bool:
    """The CPU's allocator raises a plain RuntimeError, known by its words only."""
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or "not enough memory" in str(error) or "can't allocate memory" in str(error)

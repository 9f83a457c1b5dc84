"""Levels side by side: a thread for each, instead of all threads for each operation.

The products of a probe are too narrow for two threads to share one well, and there are always many levels.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`work` for every item, in order, on PyTorch's own number of threads."""
    threads = torch.get_num_threads()
    workers = max(1, min(threads, len(items)))
    if workers == 1:
        return [work(item) for item in items]
    try:
        with ThreadPoolExecutor(workers, "level", torch.set_num_threads, (threads // workers,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)  # the linear algebra below PyTorch knows one number for all threads

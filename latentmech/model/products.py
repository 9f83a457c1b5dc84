"""Matrix products of linear layers by the quicker of the two libraries that torch carries, where it is known which.

torch hands single-precision products on a CPU to Intel's MKL, which takes its wide kernels on Intel's processors alone.
oneDNN, which torch uses for half precision, takes them on every processor that has them: on a Zen 5 its products were
done in 0.45 to 0.65 of the time. It reads the same weights where they lie, so there is no second copy. Sums are added
up in another order: results differ by rounding.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

Product = Callable[[Tensor], Tensor]


@contextmanager
def quick_products(module: nn.Module) -> Iterator[None]:
    """While it is open, linear layers inside run in oneDNN, on processors where that is quicker.

    Layers of other kinds, and those whose forward somebody else has replaced, stay as they are.
    """
    layers = [own for own in module.modules() if type(own) is nn.Linear and "forward" not in vars(own)]
    layers = layers if onednn_is_quicker() else []
    try:
        for layer in layers:
            vars(layer)["forward"] = partial(product, layer)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def product(layer: nn.Linear, rows: Tensor) -> Tensor:
    """What the layer gives; by torch's own road where oneDNN has none: in training, on a GPU, in half precision."""
    single = all(t.dtype == torch.float32 and t.device.type == "cpu" for t in (rows, layer.weight))
    if not single or torch.is_grad_enabled() or not rows.numel():
        return nn.functional.linear(rows, layer.weight, layer.bias)
    return torch.ops.mkldnn._linear_pointwise(rows, layer.weight, layer.bias, "none", [], "")


@cache
def onednn_is_quicker() -> bool:
    """Whether the processor has wide vectors that MKL does not use on it; settled by its name, never by a stopwatch.

    A choice by time would be another one on another day, and the last bits with it.
    """
    seen: Any = getattr(torch.cpu, "get_capabilities", dict)()
    has_both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    known = has_both and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return known and bool(seen.get("avx512_f")) and "Intel" not in str(seen.get("cpu_name", "Intel"))

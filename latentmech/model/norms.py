"""Norms computed once.

TransformerLens computes every norm twice: once by hand, for `hook_scale` and `hook_normalized`, and once by the
module itself, whose result goes on. Where nobody listens at those two hook points the first computation is thrown
away: a tenth of a small model's forward on a CPU. Leaving it out changes no bit of the result.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

_TWICE = "_hf_autograd_forward_with_hooks"  # TransformerLens 4.3; under another name we are merely slower


@contextmanager
def norms_once(bridge: "TransformerBridge") -> Iterator[None]:
    """While it is open, norms without hooks at `hook_scale` and `hook_normalized` are the plain module alone."""
    from transformer_lens.model_bridge.generalized_components import NormalizationBridge

    norms = [module for module in bridge.modules() if isinstance(module, NormalizationBridge)]
    unheard = [norm for norm in norms if not _is_heard(norm)]
    try:
        for norm in unheard:
            norm.__dict__[_TWICE] = _plain(norm)
        yield
    finally:
        for norm in unheard:
            norm.__dict__.pop(_TWICE, None)


def _is_heard(norm: Any) -> bool:
    return any(point.fwd_hooks or point.bwd_hooks for point in (norm.hook_scale, norm.hook_normalized))


def _plain(norm: Any) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        return norm.original_component(x).to(x.dtype)

    return forward

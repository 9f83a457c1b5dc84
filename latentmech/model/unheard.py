"""Components at which nobody listens, as transformers made them.

TransformerLens puts a component of its own around every part of a block, and computes attention and norms again by
hand so that each has its hook points. Where no hook point of a component is listened to, the part inside it gives
the same result in less time: without this a forward takes a tenth longer on a CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


@contextmanager
def unheard_left_out(bridge: "TransformerBridge") -> Iterator[None]:
    """While it is open, the backbone runs a component of TransformerLens only where a hook listens inside it.

    A bridge in compatibility mode stays as it is: the parts inside do not have its folded weights.
    """
    backbone: Any = bridge.original_model.base_model
    replaced = [] if bridge.compatibility_mode else list(_unheard(backbone))
    try:
        for parent, name, component in replaced:
            parent._modules[name] = component.original_component
        yield
    finally:
        for parent, name, component in replaced:
            parent._modules[name] = component


def _unheard(parent: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """Parent, name and component of every place below `parent` that can be given back to transformers.

    A component around a part that is heard stays whole, but for a block, whose own hook points are the residual
    stream: what lies inside it is looked at in its turn.
    """
    from transformer_lens.model_bridge.generalized_components import BlockBridge
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    for name, child in parent._modules.items():
        if not isinstance(child, GeneralizedComponent):
            if child is not None:
                yield from _unheard(child)
            continue
        heard = _is_heard(child)
        if not heard:
            yield parent, name, child
        if not heard or isinstance(child, BlockBridge):
            inside: Any = child.original_component
            yield from _unheard(inside)


def _is_heard(component: nn.Module) -> bool:
    return any(getattr(point, "fwd_hooks", None) or getattr(point, "bwd_hooks", None) for point in component.modules())

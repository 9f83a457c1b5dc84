"""Components inside which nobody listens, as transformers made them.

TransformerLens puts a component of its own around every part of a block, and computes attention and norms again by
hand so that each has its hook points. Where no hook point of a component is listened to, or only the one at its end,
the part inside it gives the same result in less time: without this a forward takes a tenth longer on a CPU. Attention
that TransformerLens does not compute can also run in one fused kernel.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

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
            parent._modules[name] = _Ending(component) if _is_heard(component) else component.original_component
        yield
    finally:
        for parent, name, component in replaced:
            parent._modules[name] = component


@contextmanager
def fused_attention(bridge: "TransformerBridge") -> Iterator[None]:
    """While it is open, attention runs in torch's fused kernel, where the model has one and nobody listens inside.

    Open it inside `unheard_left_out`. Results differ from eager attention by rounding: about 1e-6 in float32.
    """
    hf: Any = bridge.original_model
    before = hf.config._attn_implementation
    if before != "eager" or not _can_fuse(hf):
        yield
        return
    hf.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        hf.set_attn_implementation(before)


def _can_fuse(hf: Any) -> bool:
    from transformer_lens.model_bridge.generalized_components import AttentionBridge

    computed_again = any(isinstance(component, AttentionBridge) for component in _running(hf.base_model))
    return bool(getattr(hf, "_supports_sdpa", False)) and not computed_again


def _running(parent: nn.Module) -> Iterator[nn.Module]:
    """TransformerLens's components below `parent`, as far as they run: a block also lists parts that stand aside."""
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    for child in parent.children():
        inside: Any = child
        if isinstance(child, GeneralizedComponent):
            yield child
            inside = child.original_component
        yield from _running(inside)


class _Ending(nn.Module):
    """The part inside a component, with what it returns going through the hook point at the component's end."""

    def __init__(self, component: Any):
        super().__init__()
        self._inside, self._end = component.original_component, component.hook_out

    def __getattr__(self, name: str) -> Any:
        """What transformers asks a block for, such as its kind, the part inside knows."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_inside"), name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the component returns."""
        output = self._inside(*args, **kwargs)
        return self._end(output) if isinstance(output, Tensor) else (self._end(output[0]), *output[1:])


def _unheard(parent: nn.Module, watched: bool = False) -> Iterator[tuple[nn.Module, str, Any]]:
    """Parent, name and component of every place below `parent` that can be given back to transformers.

    A component around a part that is heard stays whole, but for a block, whose own hook points are the residual
    stream: what lies inside it is looked at in its turn.

    Args:
        watched: `parent` is in a block with a hook point that it fires itself, by hooking components inside it.
    """
    from transformer_lens.model_bridge.generalized_components import BlockBridge
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    for name, child in parent._modules.items():
        if not isinstance(child, GeneralizedComponent):
            if child is not None:
                yield from _unheard(child, watched)
            continue
        is_block = isinstance(child, BlockBridge)
        needed = watched and bool(child._forward_hooks or child._forward_pre_hooks)
        plain_inside = not needed and not _is_heard(child, but=None if is_block else child.hook_out)
        if plain_inside:
            yield parent, name, child
        if plain_inside or is_block:
            inside: Any = child.original_component
            yield from _unheard(inside, watched or (is_block and _watches(child)))


def _watches(block: Any) -> bool:
    """Whether a hook point of the block's own is listened to, other than those at its two ends."""
    own = (point for name, point in block._hook_registry.items() if name not in ("hook_in", "hook_out"))
    return any(point.fwd_hooks or point.bwd_hooks for point in own)


def _is_heard(component: nn.Module, but: nn.Module | None = None) -> bool:
    """Whether a hook point inside it, other than `but`, is listened to."""
    points = (module for module in component.modules() if module is not but)
    return any(getattr(point, "fwd_hooks", None) or getattr(point, "bwd_hooks", None) for point in points)

"""Types and shapes of whatever a test calls, held by beartype and jaxtyping; types alone at a tenth of the price.

jaxtyping looks at every function twice, before the call and behind it, and keeps the sizes of axes in between. Where no
annotation names a shape there is nothing to keep: beartype alone then says the same of the same types.
"""

from collections.abc import Callable
from inspect import isfunction
from typing import Any

import jaxtyping
from jaxtyping import _decorator

shapes_too = _decorator.jaxtyped


def names_a_shape(function: Callable[..., Any]) -> bool:
    """Whether an annotation names a shape, or is text, which might."""
    kinds = getattr(function, "__annotations__", {}).values()
    signs = (
        "jaxtyping",
        "ForwardRef",
        "'",
    )  # the last one stands around a name that is text inside a list's or tuple's
    return any(isinstance(kind, str) or any(sign in repr(kind) for sign in signs) for kind in kinds)


def jaxtyped(checked: Any = _decorator._sentinel, *, typechecker: Any = _decorator._sentinel) -> Any:
    """What the import hook puts around each function and each dataclass."""
    if isfunction(checked) and callable(typechecker) and not names_a_shape(checked):
        return typechecker(checked)
    return shapes_too(checked, typechecker=typechecker)


def install() -> None:
    """From now on; what has been imported stays as it is."""
    jaxtyping.jaxtyped = _decorator.jaxtyped = jaxtyped

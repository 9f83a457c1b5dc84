"""A room's public names, each imported when it is first asked for.

    if TYPE_CHECKING:
        from latentmech.probe.study import ProbeStudy

    __getattr__, __dir__, __all__ = lazily(__name__)

The names are those that the room imports for type checkers, so they stand in one place. Whoever asks for settings does
not wait for torch; whoever asks for one method does not wait for all of them.
"""

import ast
import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazily(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package."""
    where = _imported_for_types(inspect.getsource(sys.modules[package]))

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(where[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *where}), sorted(where)


def _imported_for_types(source: str) -> dict[str, str]:
    """Name -> module of what stands under `if TYPE_CHECKING`."""
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    lines = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
    return {alias.name: line.module for line in lines for alias in line.names if line.module}

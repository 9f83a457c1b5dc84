"""The methods by name. A method is a function from labelled rows to a vector, in a file of its own name."""

from collections.abc import Callable
from importlib import import_module

from jaxtyping import Float
from torch import Tensor

from latentmech.direction.parts import LabelledRows
from latentmech.direction.settings import METHODS
from latentmech.errors import BadInput, expected

DirectionMethod = Callable[[LabelledRows], Float[Tensor, " d_model"]]


def method_of(name: str) -> DirectionMethod:
    """The method of that name."""
    if name not in METHODS:
        raise BadInput(f"direction.method={name} is unknown; {expected(name, METHODS)}")
    method: DirectionMethod = getattr(import_module(f"latentmech.direction.{name}"), name)
    return method

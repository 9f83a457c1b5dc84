"""The methods by name: a function from labelled rows to a vector each, in a file of its name that says what it does."""

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.direction.direction import unit
from latentmech.direction.sample import Labelled, Parts, Places, Rows
from latentmech.direction.settings import METHODS
from latentmech.errors import BadInput, expected

DirectionMethod = Callable[[Labelled], Float[Tensor, " d_model"]]
Fit = tuple[Parts, Places]  # what one vector is found from: labels, and the rows that count


def method_of(name: str) -> DirectionMethod:
    """The method of that name."""
    if name not in METHODS:
        raise BadInput(f"direction.method={name} is unknown; {expected(name, METHODS)}")
    method: DirectionMethod = getattr(import_module(f"latentmech.direction.{name}"), name)
    return method


def described(method: DirectionMethod) -> tuple[str, tuple[str, ...]]:
    """What a method does, in a line, and the keys of the works that it rests on."""
    module = import_module(method.__module__)
    return (inspect.getdoc(module) or method.__name__).splitlines()[0], getattr(module, "CITES", ())


def directions_of(method: DirectionMethod, rows: Rows, fits: Sequence[Fit]) -> Float[Tensor, "fit d_model"]:
    """The unit vector of each fit."""
    found = [unit(method(parts.sample(rows, places))) for parts, places in fits]
    return torch.stack(found) if found else torch.empty(0, rows.shape[1])

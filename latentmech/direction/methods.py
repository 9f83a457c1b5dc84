"""The methods by name. A method is a function from labelled rows to a vector, in a file of its own name.

Its file may also have `many`, which finds the vectors of many labellings of the same rows in one product, and `CITES`,
the works it rests on; the first line of its docstring says what it does.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.direction.direction import unit
from latentmech.direction.parts import LabelledRows, Parts, Places, Rows
from latentmech.direction.settings import METHODS
from latentmech.errors import BadInput, expected

DirectionMethod = Callable[[LabelledRows], Float[Tensor, " d_model"]]


@dataclass(frozen=True, eq=False)
class Fit:
    """What one vector is to be found from: labels, and the rows that count."""

    parts: Parts
    places: Places


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
    many = getattr(import_module(method.__module__), "many", None)
    if not fits:
        return torch.empty(0, rows.shape[1])
    if many is None:
        return torch.stack([unit(method(fit.parts.sample(rows, fit.places))) for fit in fits])
    used = np.zeros((len(fits), len(rows)), dtype=bool)
    for row, fit in zip(used, fits, strict=True):
        row[fit.places] = True
    positive = np.stack([fit.parts.positive for fit in fits])
    return torch.stack([unit(vector) for vector in many(rows, torch.from_numpy(positive), torch.from_numpy(used))])

"""What a setting may be, declared on its field and checked in one place; what its being off is called; when it is idle.

    draws: Annotated[int, AtLeast(100)] = 1000
    method: Annotated[str, OneOf("logistic", "ridge")] = "logistic"
    random_init: Annotated[bool, Control("random-init twin")] = True
    seed: Annotated[int, Idle(lambda own: not own.random_init, "random_init is off")] = 0

Nothing here knows torch: the command line reads settings, and refuses them, before that is imported.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, get_type_hints

from latentmech.errors import BadInput, expected


@dataclass(frozen=True)
class Rule:
    """What a value must be: `refusal` says what is wrong with it, or None."""

    refusal: Callable[[Any], str | None]


def AtLeast(bound: float | int) -> Rule:
    """A number no smaller than `bound`; null passes where the type allows it."""
    return Rule(lambda v: f" is too small; expected at least {bound:g}" if v is not None and v < bound else None)


def Below(bound: float | int) -> Rule:
    """A number under `bound`."""
    return Rule(lambda v: f" is too large; expected less than {bound:g}" if v is not None and v >= bound else None)


def OneOf(*choices: str | None) -> Rule:
    """One of some names (or None)."""
    return Rule(lambda v: None if v in choices else f" is unknown; {expected(v, choices)}")


def SomeOf(*choices: str) -> Rule:
    """A list with one or more of some names."""

    def refusal(value: Any) -> str | None:
        if isinstance(value, str) or not isinstance(value, Collection) or not value:
            return f"; expected a list with some of {', '.join(choices)}"
        strange = [f": {v} is unknown; {expected(v, choices, 'expected some of')}" for v in value if v not in choices]
        return strange[0] if strange else None

    return Rule(refusal)


@dataclass(frozen=True)
class Control:
    """A field that switches a control on; where it is off, null, empty or 0, the report says so by this name."""

    called: str


@dataclass(frozen=True)
class Idle:
    """When a field has no say in a run, and why: typed on the command line it is refused, otherwise the report says so.

    Attributes:
        when: takes the settings that the field belongs to.
        parts: the fields of the field that are meant, where it is made of settings; by default all of it.
        noted: whether the report says so; not of what an option sets as a mere name.
    """

    when: Callable[[Any], bool]
    why: str
    parts: tuple[str, ...] = ()
    noted: bool = True


Draws = Annotated[int, AtLeast(100)]
Count = Annotated[int, AtLeast(0)]
Positive = Annotated[int, AtLeast(1)]


def check(settings: Any, where: str) -> None:
    """Refuse the first field whose value is not what it declares.

    Args:
        where: the group that a user knows the settings by, such as `probe`; empty for none.

    Raises:
        BadInput: a value out of bounds, an unknown name, or a number that is none.
    """
    for f in fields(settings):
        if (strange := _not_finite(value := getattr(settings, f.name))) is not None:
            shown = list(value) if isinstance(value, tuple) else value
            raise BadInput(f"{where}.{f.name}={shown}: {strange} is no number to work with".lstrip("."))
    for name, rules in _declared(settings.__class__).items():
        value = getattr(settings, name)
        for rule in rules:
            if isinstance(rule, Rule) and (wrong := rule.refusal(value)):
                shown = "null" if value is None else list(value) if isinstance(value, tuple) else value
                raise BadInput(f"{where}.{name}={shown}{wrong}" if where else f"{name}={shown}{wrong}")


def switched_off(settings: Any) -> Iterator[str]:
    """Names of the controls that these settings leave out."""
    for name, rules in _declared(settings.__class__).items():
        for rule in rules:
            if isinstance(rule, Control) and not getattr(settings, name):
                yield rule.called


def idle(settings: Any, where: str) -> Iterator[tuple[str, str, bool]]:
    """Settings that change nothing here: full name, why, and whether a report says so (those that are not at default).

    Args:
        where: the group that a user knows the settings by.
    """
    for f in fields(settings):
        own, name = getattr(settings, f.name), f"{where}.{f.name}"
        marks = [m for m in _declared(settings.__class__).get(f.name, ()) if isinstance(m, Idle) and m.when(settings)]
        for mark in marks:
            yield from ((f"{name}.{part}", mark.why, False) for part in mark.parts)
            if not mark.parts:
                default = f.default_factory() if callable(f.default_factory) else f.default
                yield name, mark.why, mark.noted and own != default
        if is_dataclass(own) and not any(not mark.parts for mark in marks):
            yield from idle(own, name)


def _not_finite(value: Any) -> float | None:
    """The first NaN or infinity in a setting's value, lists and mappings included."""
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    if isinstance(value, Mapping):
        value = [*value.values()]
    found = map(_not_finite, value) if isinstance(value, list | tuple) else ()
    return next((one for one in found if one is not None), None)


@cache
def _declared(cls: Any) -> dict[str, tuple[Any, ...]]:
    """The marks of every field; one that a subclass declares anew without marks keeps those that it had."""
    found = dict[str, tuple[Any, ...]]()
    for one in filter(is_dataclass, reversed(cls.__mro__)):
        hints = get_type_hints(one, include_extras=True)
        found |= {f.name: own for f in fields(one) if (own := getattr(hints[f.name], "__metadata__", ()))}
    kept = {name: tuple(m for m in own if isinstance(m, Rule | Control | Idle)) for name, own in found.items()}
    return {name: own for name, own in kept.items() if own}

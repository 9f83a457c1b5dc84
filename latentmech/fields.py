"""What a setting may be, declared on its field and checked in one place; and what its being off is called.

    draws: Annotated[int, AtLeast(100)] = 1000
    method: Annotated[str, OneOf("logistic", "ridge")] = "logistic"
    random_init: Annotated[bool, Control("random-init twin")] = True

Nothing here knows torch: the command line reads settings, and refuses them, before that is imported.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
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


Draws = Annotated[int, AtLeast(100)]
Count = Annotated[int, AtLeast(0)]
Positive = Annotated[int, AtLeast(1)]


def check(settings: Any, where: str) -> None:
    """Refuse the first field whose value is not what it declares.

    Args:
        where: the group that a user knows the settings by, such as `probe`; empty for none.

    Raises:
        BadInput: a value out of bounds, or an unknown name.
    """
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


@cache
def _declared(cls: Any) -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(cls, include_extras=True)
    marks = {f.name: getattr(hints[f.name], "__metadata__", ()) for f in fields(cls)}
    return {name: tuple(m for m in own if isinstance(m, Rule | Control)) for name, own in marks.items() if own}

"""Advice for a name that is not there: what was probably meant, and what there is."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, available: Iterable[str], limit: int = 60) -> str:
    """`did you mean 'train.conllu'? There is: …`, the close match first, the list cut after `limit` names."""
    names = sorted(set(available), key=str.lower)
    close = {lowered: name for name in names for lowered in (name, name.lower())}
    match = get_close_matches(name, close, n=1) or get_close_matches(name.lower(), close, n=1)
    meant = f"did you mean {close[match[0]]!r}? " if match else ""
    shown = ", ".join(names[:limit]) + (f", and {len(names) - limit} more" if len(names) > limit else "")
    return f"{meant}There is: {shown or 'nothing'}"


def shown(value: object, width: int = 60) -> str:
    """A value as an error message shows it: quoted, on one line, cut to `width` characters."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"

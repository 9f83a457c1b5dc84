"""What can go wrong, by whose hand it is put right. Each error is one line of advice and an exit code.

A message gives the value seen, where it came from, what was expected and what to do next.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class LatentmechError(Exception):
    """A failure that the user can act on; `run` prints it as one line and exits with `exit_code`."""

    exit_code = 1


class BadInput(LatentmechError):
    """A setting or an input file is not what it must be."""

    exit_code = 2


class IntegrityError(LatentmechError):
    """Something on disk, or its identity, is not what its record says."""

    exit_code = 3


class ResourceError(LatentmechError):
    """Disk, memory, network or a permission is missing."""

    exit_code = 4


def expected(name: object, available: Iterable[str | None], what: str = "expected one of", limit: int = 60) -> str:
    """`did you mean 'train.conllu'? expected one of ...`: the close match first, the list cut after `limit` names."""
    names = ["null" if one is None else one for one in dict.fromkeys(available)]
    close = {spelling: one for one in names for spelling in (one, one.lower())}
    match = get_close_matches(str(name), close, n=1) or get_close_matches(str(name).lower(), close, n=1)
    meant = f"did you mean {close[match[0]]!r}? " if match else ""
    listed = ", ".join(names[:limit]) + (f" or one of {len(names) - limit} more" if len(names) > limit else "")
    return f"{meant}{what} {listed or 'nothing'}"


def shown(value: object, width: int = 60) -> str:
    """A value as an error message shows it: quoted, on one line, cut to `width` characters."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def first_line(error: BaseException) -> str:
    """What an error says, without what follows; its name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

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


class Filled(LatentmechError):
    """A worker has done its share, and others have not: nothing is wrong, and there is no answer yet."""

    exit_code = 0


NAMES, WIDTH = 20, 60  # as many names of a list are shown, and characters of a value


def expected(name: object, available: Iterable[str | None], what: str = "expected one of", limit: int = NAMES) -> str:
    """`did you mean 'train.conllu'? expected one of ...`: the close match first, the list cut after `limit` names."""
    names = ["null" if one is None else one for one in dict.fromkeys(available)]
    close = {spelling: one for one in names for spelling in (one, one.lower())}
    match = get_close_matches(str(name), close, n=1) or get_close_matches(str(name).lower(), close, n=1)
    meant = f"did you mean {close[match[0]]!r}? " if match else ""
    return f"{meant}{what} {listed(names, limit, 'or one of {} more') or 'nothing'}"


def listed(names: Iterable[object], limit: int = NAMES, rest: str = "and {} more") -> str:
    """`a, b, c and 1,997 more`: a list that stays on one line, however long; a long name is cut too."""
    spelled = [str(name) if len(str(name)) <= WIDTH else f"{str(name)[: WIDTH - 1]}…" for name in names]
    more = f" {rest.format(f'{len(spelled) - limit:,}')}" if len(spelled) > limit else ""
    return ", ".join(spelled[:limit]) + more


def shown(value: object, width: int = WIDTH) -> str:
    """A value as an error message shows it: quoted, on one line, cut to `width` characters."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def first_line(error: BaseException) -> str:
    """What an error says, without what follows; its name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

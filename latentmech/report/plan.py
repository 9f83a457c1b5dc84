"""What is about to be done, on standard error, before it costs anything; how long it takes the bar behind it says."""

import sys
from collections.abc import Mapping

UNITS = ("B", "kB", "MB", "GB", "TB")


def announce(what: str, amounts: Mapping[str, int]) -> None:
    """One line, `latentmech: GPT-2: activations: 1,200 texts, 31,000 tokens, 1.2 GB on disk`.

    Args:
        amounts: how many of each thing; what begins with `bytes` is shown as a size.
    """
    said = ", ".join(
        f"{size(n)}{unit[5:]}" if unit.startswith("bytes") else f"{n:,} {unit}" for unit, n in amounts.items()
    )
    print(f"latentmech: {what}: {said}", file=sys.stderr)


def size(n_bytes: float | int) -> str:
    """`1.2 GB`: in the largest unit of which there is at least one."""
    power = 0
    while n_bytes >= 1000 and power < len(UNITS) - 1:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{n_bytes:.1f} {UNITS[power]}" if power else f"{n_bytes:.0f} B"

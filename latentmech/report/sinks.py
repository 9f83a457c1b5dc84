"""Where a report goes besides the run's folder: a sink is called as `sink(report, config, folder)`.

It returns lines for the console, such as the address of what it made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentmech.report.report import Report


@dataclass(frozen=True)
class ConsoleSink:
    """Nowhere else: the console and the folder are enough (`report=console`)."""

    def __call__(self, report: "Report", config: Mapping[str, Any], folder: Path) -> list[str]:  # noqa: ARG002
        """Send nothing, say nothing."""
        return []

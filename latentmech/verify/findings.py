"""What a verification has found."""

from collections.abc import Sequence
from dataclasses import dataclass

from latentmech.model import Check


@dataclass(frozen=True, kw_only=True)
class VerifyFindings:
    """Every check, and how much was run.

    Attributes:
        lengths: of the texts, in tokens.
        n_tokens: by which each was continued.
    """

    checks: Sequence[Check]
    lengths: Sequence[int]
    n_tokens: int

    @property
    def fatal(self) -> list[Check]:
        """Those that a model of use does not fail."""
        return [check for check in self.checks if not check.passed and not check.need]

    @property
    def gone_round(self) -> list[Check]:
        """Those that failed and that something is done about."""
        return [check for check in self.checks if not check.passed and check.need]

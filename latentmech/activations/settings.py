"""Settings of the activation store, as the command line reads them: without torch."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from latentmech.errors import BadInput
from latentmech.fields import AtLeast, OneOf, Rule, check


def _no_share(value: str | None) -> str | None:
    parts = [] if value is None else value.split("/")
    sound = value is None or (len(parts) == 2 and all(map(str.isdecimal, parts)) and int(parts[0]) < int(parts[1]))
    return None if sound else " is no share; expected i/n with i from 0 to n - 1, such as 0/4"


@dataclass(frozen=True, kw_only=True)
class ActivationStoreSettings:
    """Where activations are kept, and how they are collected.

    Attributes:
        root: where entries live; default `<cache>/activations`.
        token_budget: tokens per forward batch, padding included.
        shard_rows: rows after which a shard is closed; at most one shard is lost by a kill.
        padding_side: `right` or `left`.
        shard: `i/n`: this process fills every n-th shard from the i-th on, counted from 0, and ends; None does all.
        keep: `rows`, or `moments`: training rows are summed up as they come, and only those of dev and test are kept.
    """

    builds: ClassVar[str] = "latentmech.activations.store.ActivationStore"

    root: str | None = None
    token_budget: Annotated[int, AtLeast(1)] = 1024
    shard_rows: Annotated[int, AtLeast(1)] = 2048
    padding_side: Annotated[str, OneOf("right", "left")] = "right"
    shard: Annotated[str | None, Rule(_no_share)] = None
    keep: Annotated[str, OneOf("rows", "moments")] = "rows"

    def __post_init__(self) -> None:
        check(self, "activations")

    @property
    def share(self) -> tuple[int, int]:
        """Which of how many processes this is."""
        i, _, n = (self.shard or "0/1").partition("/")
        return int(i), int(n)

    def check_study(self, study: Any) -> None:
        """Refuse a study that asks for what is not kept.

        Args:
            study: its settings; one that can do with moments says by `beyond_moments` what must be set for that.

        Raises:
            BadInput: what to set.
        """
        if self.keep == "rows":
            return
        if not hasattr(study, "beyond_moments"):
            seen = f"activations.keep={self.keep}: {type(study).__name__.removesuffix('Settings')} reads single rows"
            raise BadInput(f"{seen}; set activations.keep=rows")
        if lacking := list(study.beyond_moments()):
            seen = f"activations.keep={self.keep} keeps no training rows, which this asks for"
            raise BadInput(f"{seen}; set {' '.join(lacking)}, or activations.keep=rows")

"""Settings of the activation store, as the command line reads them: without torch."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from latentmech.errors import BadInput
from latentmech.fields import AtLeast, OneOf, Rule, check

ON_HUB = re.compile(r"hub:(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/@]+))?")


def _no_place(value: str | None) -> str | None:
    strange = value is not None and value.startswith("hub:") and not ON_HUB.fullmatch(value)
    return " is no place on the hub; expected hub:owner/repo" if strange else None


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
        source: a folder or `hub:owner/repo[@revision]` that `push` wrote: states are read there, and no model is run.
        push: a folder or `hub:owner/repo` that the states of a run are written to, with a card, when it is done.
        keep: `rows`, or `moments`: training rows are summed up as they come, and only those of dev and test are kept.
    """

    builds: ClassVar[str] = "latentmech.activations.store.ActivationStore"

    root: str | None = None
    token_budget: Annotated[int, AtLeast(1)] = 1024
    shard_rows: Annotated[int, AtLeast(1)] = 2048
    padding_side: Annotated[str, OneOf("right", "left")] = "right"
    shard: Annotated[str | None, Rule(_no_share)] = None
    source: Annotated[str | None, Rule(_no_place)] = None
    push: Annotated[str | None, Rule(_no_place)] = None
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
        named = type(study).__name__.removesuffix("Settings").removesuffix("Study")
        if self.source is not None and not hasattr(study, "beyond_states"):
            seen = f"activations.source={self.source}: {named} runs the model itself"
            raise BadInput(f"{seen}; leave activations.source out")
        if self.source is not None and (lacking := list(study.beyond_states())):
            seen = f"activations.source={self.source}: there is no model to run, which this asks for"
            raise BadInput(f"{seen}; set {' '.join(lacking)}, or leave activations.source out")
        if self.keep == "rows":
            return
        if not hasattr(study, "beyond_moments"):
            seen = f"activations.keep={self.keep}: {named} reads single rows"
            raise BadInput(f"{seen}; set activations.keep=rows")
        if lacking := list(study.beyond_moments()):
            seen = f"activations.keep={self.keep} keeps no training rows, which this asks for"
            raise BadInput(f"{seen}; set {' '.join(lacking)}, or activations.keep=rows")

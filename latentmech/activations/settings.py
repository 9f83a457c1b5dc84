"""Settings of the activation store, as the command line reads them: without torch."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from latentmech.fields import AtLeast, OneOf, check


@dataclass(frozen=True, kw_only=True)
class ActivationStoreSettings:
    """Where activations are kept, and how they are collected.

    Attributes:
        root: where entries live; default `<cache>/activations`.
        token_budget: tokens per forward batch, padding included.
        shard_rows: rows after which a shard is closed; at most one shard is lost by a kill.
        padding_side: `right` or `left`.
    """

    builds: ClassVar[str] = "latentmech.activations.store.ActivationStore"

    root: str | None = None
    token_budget: Annotated[int, AtLeast(1)] = 1024
    shard_rows: Annotated[int, AtLeast(1)] = 2048
    padding_side: Annotated[str, OneOf("right", "left")] = "right"

    def __post_init__(self) -> None:
        check(self, "activations")

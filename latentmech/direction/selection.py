"""How one candidate is chosen, and what an outsider must offer to choose by causal effect.

Choosing by what a direction does to the model takes interventions, which this room does not know: `steering/` has such
a selection, and hands it in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from latentmech.direction.candidates import DirectionCandidate
from latentmech.direction.direction import Direction
from latentmech.model import Dialogue, Level, Model
from latentmech.report import Picture, Table


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which candidate was taken, and what a causal selection has to show for it."""

    candidate: int
    how: str
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class Selection(Protocol):
    """Chooses among directions by what they do to the model, on dev texts."""

    def check(self, model: Model, levels: Sequence[Level]) -> None:
        """Refuse, before anything is run, levels among whose directions it could not choose."""
        ...

    def __call__(
        self, model: Model, candidates: Sequence[Direction], positive: Sequence[Dialogue], negative: Sequence[Dialogue]
    ) -> Choice:
        """The index of the best one."""
        ...


@dataclass(frozen=True, kw_only=True)
class ShownRates:
    """How often the model itself does what the direction is named after, on test texts of either kind."""

    name: str
    positive: float
    negative: float
    n: int


@runtime_checkable
class Observer(Protocol):
    """Looks whether the model shows the behaviour, so that a report can say when it does not."""

    def __call__(self, model: Model, positive: Sequence[Dialogue], negative: Sequence[Dialogue]) -> ShownRates:
        """Rates on either kind."""
        ...


def by_separation(candidates: Sequence[DirectionCandidate]) -> Choice:
    """The block and position with the highest dev AUROC; of several that separate perfectly, the widest apart."""
    blocks = in_blocks(candidates)
    best = max(blocks, key=lambda i: candidates[i].key)
    ties = sum(candidates[i].dev == candidates[best].dev for i in blocks) - 1
    note = f"{ties} more candidates separate dev equally well; the standardised distance of the classes decided."
    return Choice(candidate=best, how="separation on dev", notes=(note,) if ties else ())


def in_blocks(candidates: Sequence[DirectionCandidate]) -> list[int]:
    """The candidates that may be chosen: all but those at the embedding, which has no context."""
    return [i for i, candidate in enumerate(candidates) if candidate.level.layer is not None]

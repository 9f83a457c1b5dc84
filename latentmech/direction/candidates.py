"""Every layer and position as a candidate: its vector, how well it separates dev, what chance would do; and the choice.

A choice by what a direction does to the model takes interventions, which this room does not know: it is handed in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Activations, Moments, Sums, name_of
from latentmech.direction.direction import Direction, unit
from latentmech.direction.folds import Fold, folds_of
from latentmech.direction.methods import DirectionMethod, directions_of
from latentmech.direction.nulls import (
    Drawn,
    covariance_directions,
    directions_within,
    drawn_at,
    exchanges,
    isotropic_directions,
)
from latentmech.direction.sample import Parts, Places, Rows, SummedRows, pooled_std, standardised_distance
from latentmech.model import Dialogue, Level, Model
from latentmech.report import Picture, Table
from latentmech.statistics import auroc, folded

Keys = Float[np.ndarray, "_ 2"]  # what places are chosen by: AUROC on dev, and of ties the distance of the classes


@dataclass(frozen=True, eq=False)
class NullPlan:
    """What is done at every candidate: what is left out, how labels are exchanged, how much is drawn at random.

    Attributes:
        kept: the texts that have rows, where those of train were summed up; then no group can be left out.
    """

    method: DirectionMethod
    parts: Parts
    folds: Sequence[Fold]
    exchanges: Sequence[Parts]
    random_draws: int
    seed: int
    kept: Places | None = None

    @classmethod
    def of(
        cls, method: DirectionMethod, parts: Parts, shuffles: int, random_draws: int, seed: int,
        kept: Places | None = None,
    ) -> "NullPlan":  # fmt: skip
        """With folds and exchanges drawn."""
        folds = folds_of(parts, seed) if kept is None else []
        return cls(method, parts, folds, exchanges(parts, shuffles, seed), random_draws, seed, kept)

    @cached_property
    def read(self) -> Parts:
        """The parts of the texts that have rows."""
        return self.parts if self.kept is None else self.parts.among(self.kept)


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectionCandidate:
    """A direction at one layer and position, before one of them is chosen.

    Attributes:
        norm: the vector's length before it was made 1.
        spread: pooled standard deviation of a class's training rows along it.
        means: of the negative and the positive training rows.
        key: AUROC on dev, and the distance of the class means there in standard deviations, which breaks ties.
        drawn: what random directions read here, by how they were drawn.
        in_folds: what the place would be chosen by without each fold's texts.
        exchanged: what it would be chosen by under each exchange of the labels.
    """

    level: Level
    position: str
    vector: Float[Tensor, " d_model"]
    norm: float
    spread: float
    means: Float[Tensor, "2 d_model"]
    key: tuple[float, float]
    drawn: Mapping[str, Drawn]
    in_folds: Keys
    exchanged: Keys

    @property
    def name(self) -> str:
        """`layer_12/last`, as metric names spell it."""
        return f"{self.level.label}/{self.position}"

    @property
    def dev(self) -> float:
        """AUROC on dev."""
        return self.key[0]

    @property
    def random_dev(self) -> dict[str, Float[np.ndarray, " draw"]]:
        """Dev AUROC of random directions, whichever sign, by how they were drawn; none where none were."""
        return {name: folded(drawn[0]) for name, drawn in self.drawn.items() if drawn.size}

    @property
    def high_dev(self) -> dict[str, float]:
        """The 95th percentile of these."""
        return {name: float(np.percentile(values, 95)) for name, values in self.random_dev.items()}


def candidates_of(
    plan: NullPlan, activations: Activations, levels: Sequence[Level], positions: Sequence[str],
    sums: Sums | None = None,
) -> Iterator[DirectionCandidate]:  # fmt: skip
    """One level after the other is read from the disk.

    Args:
        sums: of the training rows, where only the others were kept.
    """
    method, parts, n, seed = plan.method, plan.read, plan.random_draws, plan.seed
    train, dev = parts.within("train"), parts.within("dev")
    for level in levels:
        for i, rows in enumerate(by_position(activations, level, len(positions))):
            sample = parts.sample(rows, train) if sums is None else summed_rows(sums, level.hook_name, i)
            raw = method(sample)
            vector, even = unit(raw), isotropic_directions(n, rows.shape[1], seed)
            along = (rows @ vector).double().numpy()
            if isinstance(sample, SummedRows):
                like, spread = directions_within(sample.moments, n, seed), spread_along(sample.moments, vector)
            else:
                like = covariance_directions(rows[train], n, seed)
                spread = pooled_std(along[train], parts.positive[train])
            random = {"random": even, "covariance": like}
            yield DirectionCandidate(
                level=level, position=positions[i], vector=vector, norm=float(raw.norm()), means=sample.means.float(),
                spread=spread, key=_key(along, parts, dev),
                drawn={name: drawn_at(directions, parts, rows) for name, directions in random.items()},
                in_folds=_keys(method, rows, [(parts, fold.train, fold.dev) for fold in plan.folds]),
                exchanged=_keys(method, rows, [(other, train, dev) for other in plan.exchanges]),
            )  # fmt: skip


def summed_rows(sums: Sums, hook_name: str, position: int) -> SummedRows:
    """The training rows of one level and position as they were summed up."""
    differences = sums.get(name_of(hook_name, position, "differences"))
    whole = None if differences is None else differences.whole
    return SummedRows(sums[name_of(hook_name, position)].labelled(), whole)


def spread_along(moments: Moments, vector: Float[Tensor, " d_model"]) -> float:
    """Root mean square distance along a vector from the mean of the class."""
    own = vector.double()
    return float((own @ moments.within @ own).clamp(min=0) / moments.n) ** 0.5


def by_position(activations: Activations, level: Level, n: int) -> Float[Tensor, "position row d_model"]:
    """The rows of a level, of each of the positions."""
    return rearrange(activations.level(level.hook_name), "(row position) d -> position row d", position=n)


def _keys(method: DirectionMethod, rows: Rows, jobs: Sequence[tuple[Parts, Places, Places]]) -> Keys:
    """For each of some labels: fitted on the first rows, judged on the second. What is the same is fitted once."""
    fits = {(id(parts), train.tobytes()): (parts, train) for parts, train, _ in jobs}
    along = (rows @ directions_of(method, rows, [*fits.values()]).T).double().numpy()
    column = dict(zip(fits, along.T, strict=True))
    found = [_key(column[id(parts), train.tobytes()], parts, dev) for parts, train, dev in jobs]
    return np.array(found, dtype=float).reshape(-1, 2)


def _key(along: Float[np.ndarray, " row"], parts: Parts, dev: Places) -> tuple[float, float]:
    """Rows of one kind alone say nothing: 0.5."""
    scores, positive = along[dev], parts.positive[dev]
    return (auroc(scores, positive), standardised_distance(scores, positive)) if parts.have_both(dev) else (0.5, 0.0)


def best_places(keys: Sequence[Keys], allowed: Sequence[int]) -> list[int]:
    """For each fit the number of the candidate with the largest key, out of those that may be chosen."""
    return [max(allowed, key=lambda place: tuple(keys[place][i])) for i in range(len(keys[0]))]


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

    def __call__(
        self, model: Model, candidates: Sequence[Direction], positive: Sequence[Dialogue], negative: Sequence[Dialogue]
    ) -> Choice:
        """The index of the best one."""


@dataclass(frozen=True, kw_only=True)
class ShownRates:
    """How often the model itself does what the direction is named after, on `n` test texts of either kind."""

    name: str
    positive: float
    negative: float
    n: int


@runtime_checkable
class Observer(Protocol):
    """Looks whether the model shows the behaviour, so that a report can say when it does not."""

    def __call__(self, model: Model, positive: Sequence[Dialogue], negative: Sequence[Dialogue]) -> ShownRates:
        """Rates on either kind."""


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

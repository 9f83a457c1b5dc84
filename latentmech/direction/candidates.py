"""Every layer and position as a candidate: its vector, how well it separates dev, and what chance would do there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Activations
from latentmech.direction.direction import unit
from latentmech.direction.folds import Fold, folds_of
from latentmech.direction.methods import DirectionMethod, directions_of
from latentmech.direction.nulls import Drawn, covariance_directions, drawn_at, exchanges, isotropic_directions
from latentmech.direction.sample import Parts, Places, Rows, pooled_std, standardised_distance
from latentmech.model import Level
from latentmech.statistics import auroc, folded

Keys = Float[np.ndarray, "_ 2"]  # what places are chosen by: AUROC on dev, and of ties the distance of the classes


@dataclass(frozen=True, eq=False)
class NullPlan:
    """What is done at every candidate: what is left out, how labels are exchanged, how much is drawn at random."""

    method: DirectionMethod
    parts: Parts
    folds: Sequence[Fold]
    exchanges: Sequence[Parts]
    random_draws: int
    seed: int

    @classmethod
    def of(cls, method: DirectionMethod, parts: Parts, shuffles: int, random_draws: int, seed: int) -> "NullPlan":
        """With folds and exchanges drawn."""
        return cls(method, parts, folds_of(parts, seed), exchanges(parts, shuffles, seed), random_draws, seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectionCandidate:
    """A direction at one layer and position, before one of them is chosen.

    Attributes:
        vector: the unit vector.
        norm: its length before.
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
    plan: NullPlan, activations: Activations, levels: Sequence[Level], positions: Sequence[str]
) -> Iterator[DirectionCandidate]:
    """One level after the other is read from the disk."""
    for level in levels:
        for position, rows in zip(positions, by_position(activations, level, len(positions)), strict=True):
            yield _candidate(plan, level, position, rows)


def by_position(activations: Activations, level: Level, n: int) -> Float[Tensor, "position row d_model"]:
    """The rows of a level, of each of the positions."""
    return rearrange(activations.level(level.hook_name), "(row position) d -> position row d", position=n)


def _candidate(plan: NullPlan, level: Level, position: str, rows: Rows) -> DirectionCandidate:
    parts, train, dev = plan.parts, plan.parts.within("train"), plan.parts.within("dev")
    sample = parts.sample(rows, train)
    raw = plan.method(sample)
    vector, even = unit(raw), isotropic_directions(plan.random_draws, rows.shape[1], plan.seed)
    as_rows_vary = covariance_directions(rows[train], plan.random_draws, plan.seed)
    along = (rows @ vector).double().numpy()
    return DirectionCandidate(
        level=level, position=position, vector=vector, norm=float(raw.norm()), means=sample.means.float(),
        spread=pooled_std(along[train], parts.positive[train]), key=_key(along, parts, dev),
        drawn={"random": drawn_at(even, parts, rows), "covariance": drawn_at(as_rows_vary, parts, rows)},
        in_folds=_keys(plan.method, rows, [(parts, fold.train, fold.dev) for fold in plan.folds]),
        exchanged=_keys(plan.method, rows, [(other, train, dev) for other in plan.exchanges]),
    )  # fmt: skip


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

"""Every layer and position as a candidate: its vector, how well it separates dev, and what chance would do there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Activations
from latentmech.direction.direction import unit
from latentmech.direction.folds import Fold
from latentmech.direction.methods import DirectionMethod, Fit, directions_of
from latentmech.direction.nulls import Drawn, covariance_directions, isotropic_directions
from latentmech.direction.parts import Parts, Places, Rows, pooled_std, standardised_distance
from latentmech.model import Level
from latentmech.statistics import auroc, folded

Keys = Float[np.ndarray, "_ 2"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectionCandidate:
    """A direction at one layer and position, before one of them is chosen.

    Attributes:
        vector: the unit vector.
        norm: its length before.
        spread: pooled standard deviation of a class's training rows along it.
        means: of the negative and the positive training rows.
        dev: AUROC on dev.
        distance: of the class means on dev along the vector, in standard deviations; breaks ties between layers that
            all separate perfectly.
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
    dev: float
    distance: float
    drawn: Mapping[str, Drawn]
    in_folds: Keys
    exchanged: Keys

    @property
    def name(self) -> str:
        """`layer_12/last`, as metric names spell it."""
        return f"{self.level.label}/{self.position}"

    @property
    def random_dev(self) -> dict[str, Float[np.ndarray, " draw"]]:
        """Dev AUROC of random directions, whichever sign, by how they were drawn; none where none were."""
        return {name: folded(drawn.dev) for name, drawn in self.drawn.items() if len(drawn.dev)}

    @property
    def key(self) -> tuple[float, float]:
        """What it is chosen by."""
        return self.dev, self.distance


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What to do at every candidate.

    Attributes:
        method: from rows to a vector.
        folds: what is left out in turn.
        exchanges: the same parts with labels exchanged.
        random_draws: how many random directions of each sort.
    """

    method: DirectionMethod
    parts: Parts
    folds: Sequence[Fold]
    exchanges: Sequence[Parts]
    random_draws: int
    seed: int

    def __call__(
        self, activations: Activations, levels: Sequence[Level], positions: Sequence[str]
    ) -> Iterator[DirectionCandidate]:
        """One level after the other is read from the disk."""
        for level in levels:
            every = activations.level(level.hook_name).view(-1, len(positions), activations.d_model)
            for i, position in enumerate(positions):
                yield self._candidate(level, position, every[:, i])

    def _candidate(self, level: Level, position: str, rows: Rows) -> DirectionCandidate:
        train, dev = self.parts.within("train"), Fit(self.parts, self.parts.within("dev"))
        sample = self.parts.sample(rows, train)
        raw = self.method(sample)
        vector = unit(raw)
        ((on_dev, distance),) = keys_of(rows, vector[None], [dev]).tolist()
        return DirectionCandidate(
            level=level,
            position=position,
            vector=vector,
            norm=float(raw.norm()),
            spread=pooled_std((rows[train] @ vector).double().numpy(), self.parts.positive[train]),
            means=sample.moments.means.float(),
            dev=on_dev,
            distance=distance,
            drawn=self._drawn(rows, train),
            in_folds=self._chosen_by(rows, [(self.parts, fold.train, fold.dev) for fold in self.folds]),
            exchanged=self._chosen_by(rows, [(parts, train, dev.places) for parts in self.exchanges]),
        )

    def _drawn(self, rows: Rows, train: Places) -> dict[str, Drawn]:
        directions = {
            "random": isotropic_directions(self.random_draws, rows.shape[1], self.seed),
            "covariance": covariance_directions(rows[train], self.random_draws, self.seed),
        }
        return {name: Drawn.of(drawn, self.parts, rows) for name, drawn in directions.items()}

    def _chosen_by(self, rows: Rows, jobs: Sequence[tuple[Parts, Places, Places]]) -> Keys:
        """For each of some labels: fitted on the first rows, judged on the second. What is the same is fitted once."""
        distinct = {(id(parts), train.tobytes()): Fit(parts, train) for parts, train, _ in jobs}
        vectors = dict(zip(distinct, directions_of(self.method, rows, list(distinct.values())), strict=True))
        own = [vectors[id(parts), train.tobytes()] for parts, train, _ in jobs]
        fits = [Fit(parts, dev) for parts, _, dev in jobs]
        return keys_of(rows, torch.stack(own) if own else torch.empty(0, rows.shape[1]), fits)


def keys_of(rows: Rows, vectors: Float[Tensor, "fit d_model"], fits: Sequence[Fit]) -> Keys:
    """What places are chosen by, for each fit's vector on its rows: AUROC, and of ties the distance of the classes.

    Rows that have one kind alone say nothing: 0.5.
    """
    scores = (rows @ vectors.T).double().numpy()
    found = []
    for fit, column in zip(fits, scores.T, strict=True):
        own, positive = column[fit.places], fit.parts.positive[fit.places]
        both = fit.parts.have_both(fit.places)
        found.append((auroc(own, positive), standardised_distance(own, positive)) if both else (0.5, 0.0))
    return np.array(found).reshape(-1, 2)


def best_places(keys: Sequence[Keys], allowed: Sequence[int]) -> list[int]:
    """For each fit the candidate that is chosen, out of those that may be: largest AUROC, then largest distance.

    Args:
        keys: of every candidate.
        allowed: numbers of candidates.
    """
    return [max(allowed, key=lambda place: tuple(keys[place][i])) for i in range(len(keys[0]))]

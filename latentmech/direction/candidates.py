"""Every layer and position as a candidate: its vector, how well it separates dev, and what chance would do there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Activations
from latentmech.direction.direction import unit
from latentmech.direction.methods import DirectionMethod
from latentmech.direction.parts import LabelledRows, Parts, Rows, spread_along
from latentmech.model import Level
from latentmech.statistics import aurocs, folded


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
        test_scores: projections of the test rows; nothing is chosen by them.
        random_dev: dev AUROC of random directions, whichever sign.
        shuffled_test: test AUROC of the differences of means of shuffled training labels.
    """

    level: Level
    position: str
    vector: Float[Tensor, " d_model"]
    norm: float
    spread: float
    means: Float[Tensor, "2 d_model"]
    dev: float
    distance: float
    test_scores: Float[np.ndarray, " row"]
    random_dev: Float[np.ndarray, " draw"]
    shuffled_test: Float[np.ndarray, " shuffle"]

    @property
    def name(self) -> str:
        """`layer_12/last`, as metric names spell it."""
        return f"{self.level.label}/{self.position}"


@dataclass(frozen=True, kw_only=True)
class Search:
    """What to do at every candidate.

    Attributes:
        method: from rows to a vector.
        random_draws: how many random directions.
        shuffles: how many shuffles of the training labels, the same ones at every candidate.
    """

    method: DirectionMethod
    parts: Parts
    random_draws: int
    shuffles: int
    seed: int

    def __call__(
        self, activations: Activations, levels: Sequence[Level], positions: Sequence[str]
    ) -> Iterator[DirectionCandidate]:
        """One level after the other is read from the disk."""
        for level in levels:
            rows = by_position(activations, level, len(positions))
            for i, position in enumerate(positions):
                yield self._candidate(level, position, rows[:, i])

    def _candidate(self, level: Level, position: str, rows: Rows) -> DirectionCandidate:
        parts = self.parts
        sample = parts.sample(rows, parts.within("train"))
        raw = self.method(sample)
        vector = unit(raw)
        dev, test = (rows[parts.within(split)] for split in ("dev", "test"))
        dev_scores = (dev @ vector).double().numpy()
        return DirectionCandidate(
            level=level,
            position=position,
            vector=vector,
            norm=float(raw.norm()),
            spread=spread_along(sample, vector),
            means=sample.moments.means.float(),
            dev=float(aurocs(dev_scores[:, None], parts.truth("dev"))[0]),
            distance=standardised_distance(dev_scores, parts.truth("dev")),
            test_scores=(test @ vector).double().numpy(),
            random_dev=folded(_aurocs(dev, self._random(len(vector)), parts.truth("dev"))),
            shuffled_test=_aurocs(test, self._shuffled(sample), parts.truth("test")),
        )

    def _random(self, d_model: int) -> Float[Tensor, "draw d_model"]:
        return random_directions(self.random_draws, d_model, self.seed)

    def _shuffled(self, sample: LabelledRows) -> Float[Tensor, "shuffle d_model"]:
        """Differences of means under shuffled labels; all shuffles in one product."""
        generator = torch.Generator().manual_seed(self.seed)
        labels = sample.positive.float()
        orders = [torch.randperm(len(labels), generator=generator) for _ in range(self.shuffles)]
        drawn = torch.stack([labels[order] for order in orders]) if orders else torch.empty(0, len(labels))
        weights = drawn / labels.sum() - (1 - drawn) / (1 - labels).sum()
        return weights @ sample.rows


def by_position(activations: Activations, level: Level, n_positions: int) -> Float[Tensor, "row position d_model"]:
    """All rows of a level, those of one text together."""
    return activations.level(level.hook_name).view(-1, n_positions, activations.d_model)


def random_directions(n: int, d_model: int, seed: int) -> Float[Tensor, "draw d_model"]:
    """Unit vectors drawn evenly from the sphere."""
    drawn = torch.randn(n, d_model, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=1, keepdim=True)


def standardised_distance(scores: Float[np.ndarray, " row"], positive: np.ndarray) -> float:
    """Distance of the class means in pooled standard deviations (Cohen's d); 0 without spread."""
    spread = np.sqrt((scores[positive].var() + scores[~positive].var()) / 2)
    return float((scores[positive].mean() - scores[~positive].mean()) / spread) if spread > 0 else 0.0


def _aurocs(rows: Rows, directions: Float[Tensor, "draw d_model"], positive: np.ndarray) -> np.ndarray:
    return aurocs((rows @ directions.T).double().numpy(), positive) if len(directions) else np.empty(0)

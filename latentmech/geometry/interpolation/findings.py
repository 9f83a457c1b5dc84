"""What was seen on the paths, as numbers that can be averaged over pairs of prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from latentmech.geometry.interpolation.settings import InterpolationSettings
from latentmech.geometry.interpolation.walk import KINDS, Walk
from latentmech.model import Level
from latentmech.statistics import Estimate, Lead, leads, mean_of, over_seeds


@dataclass(frozen=True, eq=False)
class PromptPair:
    """Two prompts, and every path between their states."""

    start: str
    end: str
    walks: Sequence[Walk]

    def at(self, level: Level, kind: str) -> Walk:
        """The path of one kind at one level."""
        return next(walk for walk in self.walks if walk.level == level and walk.kind == kind)


@dataclass(frozen=True, kw_only=True, eq=False)
class InterpolationFindings:
    """All paths."""

    settings: InterpolationSettings
    levels: Sequence[Level]
    pairs: Sequence[PromptPair]

    @cached_property
    def numbers(self) -> Mapping[str, Sequence[Sequence[Mapping[str, float]]]]:
        """Kind of path -> by level -> by pair -> every number."""
        return {
            kind: [[of_walk(pair.at(level, kind)) for pair in self.pairs] for level in self.levels] for kind in KINDS
        }

    @cached_property
    def by_kind(self) -> Mapping[str, Sequence[Mapping[str, Estimate]]]:
        """Kind of path -> by level -> means over pairs, with the smallest and the largest pair."""
        return {
            kind: [{name: over_seeds(one[name] for one in pairs) for name in pairs[0]} for pairs in by_level]
            for kind, by_level in self.numbers.items()
        }

    def of(self, name: str, kind: str = "straight") -> list[Estimate]:
        """One number, level by level."""
        return [estimates[name] for estimates in self.by_kind[kind]]

    @cached_property
    def leads(self) -> Sequence[Lead]:
        """Level by level: the change on the straight path against that on the random one that does most, by pair."""
        found, clusters = [], np.arange(len(self.pairs))
        for pairs in self.numbers["straight"]:
            own, random = (np.array([one[name] for one in pairs]) for name in ("change", "random_change_max"))
            found += leads(mean_of(own, clusters), {"random paths": mean_of(random, clusters)})
        return found

    @property
    def beyond_random(self) -> int:
        """Pairs whose straight path changes the log-odds by more than every random one, at all levels."""
        by_level = [[one["change"] > one["random_change_max"] for one in pairs] for pairs in self.numbers["straight"]]
        return int(np.all(by_level, axis=0).sum())

    @property
    def error(self) -> float:
        """Largest difference of a logit between an end of a path and its clean run."""
        return max(walk.error for pair in self.pairs for walk in pair.walks)

    @property
    def middle(self) -> Level:
        """The level that stands for all where there is room for one."""
        return self.levels[len(self.levels) // 2]


def of_walk(walk: Walk) -> dict[str, float]:
    """Every number of one path; a third token is, at a step between the ends, the likeliest one of neither end."""
    own, middle = walk.own, len(walk.own.top) // 2
    first, *between, last = own.top
    moved = [abs(float(along.log_odds[-1] - along.log_odds[0])) for along in walk.random]
    return {
        "crossing": crossing(own.log_odds),
        "steepest": steepest(own.log_odds),
        "third_token": float(np.mean([token not in (first, last) for token in between])),
        "kl_middle": float(min(own.kl_start[middle], own.kl_end[middle])),
        "entropy_rise": float(own.entropy[middle] - (own.entropy[0] + own.entropy[-1]) / 2),
        "change": abs(float(own.log_odds[-1] - own.log_odds[0])),
        "random_change": float(np.mean(moved)),
        "random_change_max": max(moved),
        "kl": float(own.kl_start[-1]),
        "random_kl": float(np.mean([along.kl_start[-1] for along in walk.random])),
    }


def crossing(log_odds: Float[np.ndarray, " step"]) -> float:
    """Share of the way after which half of the change of log-odds is done, between steps in proportion; NaN if none."""
    done = done_at(log_odds)
    if not done.any():
        return float("nan")
    after = int(np.argmax(done >= 0.5))
    within = (0.5 - done[after - 1]) / (done[after] - done[after - 1])
    return float((after - 1 + within) / (len(done) - 1))


def done_at(log_odds: Float[np.ndarray, " step"]) -> Float[np.ndarray, " step"]:
    """Share of the change of log-odds that is done at each step; 0 where nothing changes."""
    change = log_odds[-1] - log_odds[0]
    return (log_odds - log_odds[0]) / change if abs(change) > 1e-9 else np.zeros(len(log_odds))


def steepest(log_odds: Float[np.ndarray, " step"]) -> float:
    """Largest part of the change that falls into one step: 1 / number of steps if it is even, 1 or more for a jump."""
    done = done_at(log_odds)
    return float(np.abs(np.diff(done)).max()) if done.any() else float("nan")

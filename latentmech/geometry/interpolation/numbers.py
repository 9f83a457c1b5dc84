"""What a path between two states is like, in a few numbers that can be averaged over pairs of prompts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from latentmech.geometry.interpolation.walk import Along, Ends, Walk
from latentmech.model import Level
from latentmech.report import Ledger
from latentmech.statistics import Estimate


@dataclass(frozen=True)
class Pair:
    """Two prompts, their clean runs, and every path between their states."""

    start: str
    end: str
    ends: Ends
    walks: list[Walk]

    def at(self, level: Level, kind: str) -> Walk:
        """The path of one kind at one level."""
        return next(walk for walk in self.walks if walk.level == level and walk.kind == kind)


def crossing(log_odds: Float[np.ndarray, " step"]) -> float:
    """Share of the way after which half of the change of log-odds is done, between steps in proportion; NaN if none."""
    done = log_odds - log_odds[0]
    if abs(done[-1]) < 1e-9:
        return float("nan")
    done = done / done[-1]
    after = int(np.argmax(done >= 0.5))
    before = after - 1
    within = (0.5 - done[before]) / (done[after] - done[before])
    return float((before + within) / (len(done) - 1))


def steepest(log_odds: Float[np.ndarray, " step"]) -> float:
    """Largest part of the change that falls into one step: 1 / number of steps if it is even, 1 or more for a jump."""
    change = abs(log_odds[-1] - log_odds[0])
    return float(np.abs(np.diff(log_odds)).max() / change) if change > 1e-9 else float("nan")


def third(along: Along) -> float:
    """Share of the steps between the ends at which the likeliest token is that of neither end."""
    inner = along.top[1:-1]
    return float(np.mean([token not in (along.top[0], along.top[-1]) for token in inner]))


def of_walk(walk: Walk) -> dict[str, float]:
    """Every number of one path."""
    own, middle = walk.own, len(walk.own.top) // 2
    moved = [abs(float(along.log_odds[-1] - along.log_odds[0])) for along in walk.random]
    return {
        "crossing": crossing(own.log_odds),
        "steepest": steepest(own.log_odds),
        "third_token": third(own),
        "kl_middle": float(min(own.kl_start[middle], own.kl_end[middle])),
        "entropy_rise": float(own.entropy[middle] - (own.entropy[0] + own.entropy[-1]) / 2),
        "change": abs(float(own.log_odds[-1] - own.log_odds[0])),
        "random_change": float(np.mean(moved)),
        "random_change_max": max(moved),
        "kl": float(own.kl_start[-1]),
        "random_kl": float(np.mean([along.kl_start[-1] for along in walk.random])),
    }


def over_pairs(pairs: Sequence[Pair], level: Level, kind: str) -> dict[str, Estimate]:
    """Means over pairs, with the smallest and the largest pair in place of an interval."""
    each = [of_walk(pair.at(level, kind)) for pair in pairs]
    return {name: _mean(np.array([numbers[name] for numbers in each])) for name in each[0]}


def _mean(values: Float[np.ndarray, " pair"]) -> Estimate:
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(float("nan"))
    return Estimate(float(known.mean()), float(known.min()), float(known.max()), len(known))


def write_down(pairs: Sequence[Pair], levels: Sequence[Level], kinds: Sequence[str], ledger: Ledger) -> None:
    """All of them, by flat name and as rows."""
    for kind in kinds:
        for level in levels:
            for name, value in over_pairs(pairs, level, kind).items():
                control = "random" if name.startswith("random") else None
                flat = f"geometry/interpolation/{kind}/{level.label}/{name}"
                ledger.add(flat, value, name, layer=level.layer, method=kind, control=control)
    error = max(walk.error for pair in pairs for walk in pair.walks)
    ledger.add("geometry/interpolation/end_error", error, "end_error")

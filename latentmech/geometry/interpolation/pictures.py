"""The pictures of an interpolation study: one path, and all levels by all steps."""

from collections.abc import Sequence

import numpy as np

from latentmech.geometry.interpolation.numbers import Pair
from latentmech.geometry.interpolation.paths import KINDS
from latentmech.model import Level
from latentmech.report import Picture, heat_map, layer_curve


def curve(pair: Pair, level: Level) -> Picture:
    """Log-odds along one pair's paths, with the range of random ones."""
    walks = {kind: pair.at(level, kind) for kind in KINDS}
    spread = np.array([along.log_odds for walk in walks.values() for along in walk.random])
    ways = [f"{share:.2f}" for share in np.linspace(0, 1, spread.shape[1])]
    figure = layer_curve(
        ways,
        {kind: walk.own.log_odds.tolist() for kind, walk in walks.items()},
        {"random directions": (spread.min(0).tolist(), spread.max(0).tolist())},
        None,
        "log-odds of the end's token, nats",
        f"From “{pair.start}” to “{pair.end}” at {level.place}",
        xlabel="share of the way",
        best="",
    )
    caption = (
        "Log-odds of the end's next token against the start's along both paths, with the range of paths of the same "
        "length in random directions."
    )
    return Picture(title="Along one path", figure=figure, caption=caption)


def grid(pairs: Sequence[Pair], levels: Sequence[Level]) -> Picture:
    """Share of the change done, level by step, averaged over pairs that change at all."""
    changing = [pair for pair in pairs if pair.start != pair.end] or pairs
    grid = np.array([np.mean([_done(pair, level) for pair in changing], axis=0) for level in levels[::-1]])
    ways = [f"{share:.2f}" for share in np.linspace(0, 1, grid.shape[1])]
    figure = heat_map(
        grid,
        [level.tick for level in levels[::-1]],
        ways,
        title="Straight paths: how much of the change is done",
        xlabel="share of the way",
        ylabel="level",
        bar="share of the change of log-odds",
    )
    caption = "Share of the change of log-odds that is done at each point of the straight path, mean over pairs."
    return Picture(title="Levels and steps", figure=figure, caption=caption)


def _done(pair: Pair, level: Level) -> np.ndarray:
    log_odds = pair.at(level, "straight").own.log_odds
    change = log_odds[-1] - log_odds[0]
    return (log_odds - log_odds[0]) / change if abs(change) > 1e-9 else np.zeros(len(log_odds))

"""The tables of an interpolation study: level by level, and what is said step by step."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentmech.geometry.interpolation.numbers import Pair, over_pairs
from latentmech.model import Level, Model
from latentmech.report import Table

COLUMNS = {
    "crossing": "half done at",
    "steepest": "largest step",
    "third_token": "third token",
    "kl_middle": "KL of middle",
    "entropy_rise": "entropy rise",
    "random_change": "random change",
    "random_change_max": "largest random",
    "random_kl": "random KL",
}


def level_table(pairs: Sequence[Pair], levels: Sequence[Level], kind: str) -> Table:
    """Means over the pairs at every level, for one kind of path."""
    rows = []
    for level in levels:
        numbers = over_pairs(pairs, level, kind)
        row: dict[str, object] = {"layer": level.tick, COLUMNS["crossing"]: numbers["crossing"].value}
        row |= {"low": numbers["crossing"].ci_low, "high": numbers["crossing"].ci_high}
        rows.append(row | {title: numbers[name].value for name, title in COLUMNS.items() if name != "crossing"})
    change = over_pairs(pairs, levels[0], kind)
    caption = (
        f"Means over {len(pairs)} pairs. The change of log-odds is {change['change'].value:.2f} nats, the KL "
        f"from start to end {change['kl'].value:.2f} nats. Half done at: share of the way, extreme pairs beside; "
        "largest step: part of the change in one step; third token: share of the points between at which the likeliest "
        "token is neither end's; KL of middle: to the nearer end. Random: change of the same log-odds, and KL from the "
        "start, at the end of paths of the same length in random directions."
    )
    return Table(title=f"{kind.capitalize()} paths, level by level", frame=pd.DataFrame(rows), caption=caption)


def spoken(model: Model, pairs: Sequence[Pair], level: Level) -> Table:
    """Step by step at one level: the likeliest token, and how far it is from both ends."""
    rows = [row for pair in pairs for row in _steps(model, pair, level)]
    caption = (
        "Log-odds: of the end's token against the start's, in nats; KL from each end's distribution, entropy of the "
        "next token, all on the straight path. Random: the likeliest token on the first random path."
    )
    return Table(title=f"What it says on the way, at {level.place}", frame=pd.DataFrame(rows), caption=caption)


def _steps(model: Model, pair: Pair, level: Level) -> list[dict[str, object]]:
    straight, round_ = pair.at(level, "straight"), pair.at(level, "spherical")
    own, random, n = straight.own, straight.random[0], len(straight.own.top)
    spread = np.array([along.log_odds for along in straight.random])
    return [
        {
            "from … to": f"{pair.start} … {pair.end}" if i == 0 else "",
            "way": i / (n - 1),
            "straight": _token(model, own.top[i]),
            "spherical": _token(model, round_.own.top[i]),
            "random": _token(model, random.top[i]),
            "log-odds": own.log_odds[i],
            "spherical log-odds": round_.own.log_odds[i],
            "random low": spread[:, i].min(),
            "random high": spread[:, i].max(),
            "KL start": own.kl_start[i],
            "KL end": own.kl_end[i],
            "entropy": own.entropy[i],
        }
        for i in range(n)
    ]


def _token(model: Model, token: int) -> str:
    return repr(model.tokenizer.decode([token]))

"""From walks to a `Report`: what is said on the way, how the change is spread, and what random paths do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.geometry.interpolation.numbers import Pair, of_walk, over_pairs, write_down
from latentmech.geometry.interpolation.paths import KINDS
from latentmech.model import Level, Model
from latentmech.report import Ledger, Picture, Report, Table, heat_map, layer_curve

if TYPE_CHECKING:
    from latentmech.geometry.interpolation.study import InterpolationStudy

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


def present(study: "InterpolationStudy", model: Model, levels: Sequence[Level], pairs: Sequence[Pair]) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "interpolation", "site": "resid_post"})
    write_down(pairs, levels, KINDS, ledger)
    shown = levels[len(levels) // 2]
    return Report(
        title=f"interpolation in {model.name}",
        headline=headline(study, model, levels, pairs),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables={
            "straight": _level_table(pairs, levels, "straight"),
            "spoken": _spoken(model, pairs, shown),
            "spherical": _level_table(pairs, levels, "spherical"),
        },
        pictures={"path": _curve(pairs[0], shown), "levels": _grid(pairs, levels)},
        notes=tuple(_notes(study, model, ledger)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}},
    )


def headline(study: "InterpolationStudy", model: Model, levels: Sequence[Level], pairs: Sequence[Pair]) -> str:
    """Where the change is most sudden, and whether chance moves as much."""
    found = {level: over_pairs(pairs, level, "straight") for level in levels}
    sudden = max(found, key=lambda level: _or_nothing(found[level]["steepest"].value))
    change = found[levels[0]]["change"].value
    beyond = sum(all(_beats_chance(pair, level) for level in levels) for pair in pairs)
    chance = max(numbers["random_change_max"].value for numbers in found.values())
    return (
        f"Between the ends the log-odds of what {model.name} says next change by {change:.2f} nats (mean of "
        f"{len(pairs)} pairs); random paths of the same length change them by up to {chance:.2f} where they do most, "
        f"and by less than the path at every level in {beyond} pairs. The change is most sudden at {_named(sudden)}, "
        f"where {found[sudden]['steepest'].value:.0%} of it falls into one of {study.steps - 1} steps; there the "
        f"likeliest token is neither end's at {found[sudden]['third_token'].value:.0%} of the points between."
    )


def _beats_chance(pair: Pair, level: Level) -> bool:
    numbers = of_walk(pair.at(level, "straight"))
    return numbers["change"] > numbers["random_change_max"]


def _or_nothing(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _named(level: Level) -> str:
    return "the embedding" if level.layer is None else f"block {level.layer}"


def _level_table(pairs: Sequence[Pair], levels: Sequence[Level], kind: str) -> Table:
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


def _spoken(model: Model, pairs: Sequence[Pair], level: Level) -> Table:
    """Step by step at one level: the likeliest token, and how far it is from both ends."""
    rows = [row for pair in pairs for row in _steps(model, pair, level)]
    caption = (
        "Log-odds: of the end's token against the start's, in nats; KL from each end's distribution, entropy of the "
        "next token, all on the straight path. Random: the likeliest token on the first random path."
    )
    return Table(title=f"What it says on the way, at {_named(level)}", frame=pd.DataFrame(rows), caption=caption)


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


def _curve(pair: Pair, level: Level) -> Picture:
    walks = {kind: pair.at(level, kind) for kind in KINDS}
    spread = np.array([along.log_odds for walk in walks.values() for along in walk.random])
    ways = [f"{share:.2f}" for share in np.linspace(0, 1, spread.shape[1])]
    figure = layer_curve(
        ways,
        {kind: walk.own.log_odds.tolist() for kind, walk in walks.items()},
        {"random directions": (spread.min(0).tolist(), spread.max(0).tolist())},
        None,
        "log-odds of the end's token, nats",
        f"From “{pair.start}” to “{pair.end}” at {_named(level)}",
        xlabel="share of the way",
        best="",
    )
    caption = (
        "Log-odds of the end's next token against the start's along both paths, with the range of paths of the same "
        "length in random directions."
    )
    return Picture(title="Along one path", figure=figure, caption=caption)


def _grid(pairs: Sequence[Pair], levels: Sequence[Level]) -> Picture:
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


def _notes(study: "InterpolationStudy", model: Model, ledger: Ledger) -> list[str]:
    error = ledger.metrics["geometry/interpolation/end_error"]
    notes = [f"{model.name}: {model.checkpoint.note}."] if model.checkpoint.note else []
    if study.tokens == "differing":
        equal = "to the last bit" if error == 0 else f"to within {error:.1e}"
        notes.append(f"Patched in, the ends give the logits of the clean runs {equal}.")
    else:
        notes.append(
            "Only the last token is patched, into the start's context: the far end is not the clean run of the end "
            f"(its logits differ by up to {error:.2f}), since the tokens before it are still the start's."
        )
    notes.append("States between two real ones need not be states that the model ever has.")
    return notes

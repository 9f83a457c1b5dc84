"""What an interpolation study says: numbers, tables, pictures, sentences."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from latentmech.geometry.drawn import grid_picture, level_table, line_picture, with_ends
from latentmech.geometry.interpolation.findings import InterpolationFindings, PromptPair, done_at
from latentmech.model import Level, Model
from latentmech.report import Ledger, Method, Picture, Report, Table, account, values

ROOM = "geometry/interpolation"
COLUMNS = {
    "steepest": "largest step",
    "third_token": "third token",
    "kl_middle": "KL of middle",
    "entropy_rise": "entropy rise",
    "random_change": "random change",
    "random_change_max": "largest random",
    "random_kl": "random KL",
}


def account_of(study: object, found: InterpolationFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "interpolation", "site": "resid_post"})
    for kind, by_level in found.by_kind.items():
        for level, estimates in zip(found.levels, by_level, strict=True):
            for name, value in estimates.items():
                columns = {"layer": level.layer, "control": "random" if name.startswith("random") else None}
                ledger.add(f"{ROOM}/{kind}/{level.label}/{name}", value, name, method=kind, **columns)
    for level, lead in zip(found.levels, found.leads, strict=True):
        flat = f"{ROOM}/straight/{level.label}/beyond_random"
        ledger.add(flat, lead.difference, "beyond_random", layer=level.layer, method="straight")
    ledger.add(f"{ROOM}/end_error", found.error, "end_error")
    return account(
        study, model, ledger,
        title=f"interpolation in {model.name}",
        headline=headline(found, model),
        tables={
            "straight": _path_table(found, "straight"),
            "spoken": spoken(found, model),
            "spherical": _path_table(found, "spherical"),
        },
        pictures={"path": _curve(found), "levels": _grid(found)},
        groups="pairs",
        notes=notes(found),
        methods=_methods(found),
    )  # fmt: skip


def headline(found: InterpolationFindings, model: Model) -> str:
    """Where the change is most sudden, and whether chance moves as much."""
    steepest = np.nan_to_num(values(found.of("steepest")))
    sudden, clear = int(np.argmax(steepest)), sum(lead.clear for lead in found.leads)
    levels = f"{clear} of {len(found.levels)} levels"
    beyond, place = found.beyond_random, found.levels[sudden].place
    return (
        f"Between the ends the log-odds of what {model.name} says next change by {found.of('change')[0].value:.2f} "
        f"nats (mean of {len(found.pairs)} pairs); random paths of the same length change them by up to "
        f"{max(values(found.of('random_change_max'))):.2f} where they do most, and by less than the path at every "
        f"level in {beyond} pairs; paired over pairs they are shown to do less at {levels}. The change is most sudden "
        f"at {place}, where {steepest[sudden]:.0%} of it falls into one of {found.settings.steps - 1} steps; there the "
        f"likeliest token is neither end's at {found.of('third_token')[sudden].value:.0%} of the points between."
    )


def notes(found: InterpolationFindings) -> Iterator[str]:
    """What a reader must know before believing a path."""
    if found.settings.tokens == "differing":
        equal = "to the last bit" if found.error == 0 else f"to within {found.error:.1e}"
        yield f"Patched in, the ends give the logits of the clean runs {equal}."
    else:
        yield (
            "Only the last token is patched, into the start's context: the far end is not the clean run of the end "
            f"(its logits differ by up to {found.error:.2f}), since the tokens before it are still the start's."
        )
    if len(found.pairs) == 1:
        yield "One pair of prompts has no interval: nothing is shown of any other."
    yield "States between two real ones need not be states that the model ever has."
    yield "Random paths are drawn evenly from all directions, most of which a model hardly uses: an easy null."


def _methods(found: InterpolationFindings) -> Iterator[Method]:
    asked = found.settings
    where = "of every token from the first that differs" if asked.tokens == "differing" else "of the last token"
    yield Method(
        f"The residual stream {where} was moved from one prompt's states to the other's in {asked.steps} points, on a "
        "straight path and on one along the sphere, patched into the first prompt's run at every level in turn.",
        ("shoemake1985", "white2016"),
    )
    yield Method(
        f"The change of the log-odds of the two ends' next tokens was set against that at the end of {asked.random} "
        f"paths of the same length in random directions, paired over {len(found.pairs)} pairs of prompts: a level "
        "counts if the 95 % interval of own change minus the largest random one lies above 0."
    )


def _path_table(found: InterpolationFindings, kind: str) -> Table:
    columns = with_ends("half done at", found.of("crossing", kind))
    columns |= {title: found.of(name, kind) for name, title in COLUMNS.items()}
    change, kl = (found.of(name, kind)[0].value for name in ("change", "kl"))
    caption = (
        f"Means over {len(found.pairs)} pairs. The change of log-odds is {change:.2f} nats, the KL from start to end "
        f"{kl:.2f} nats. Half done at: share of the way, extreme pairs beside; largest step: part of the change in one "
        "step; third token: share of the points between at which the likeliest token is neither end's; KL of middle: "
        "to the nearer end. Random: change of the same log-odds, and KL from the start, at the end of paths of the "
        "same length in random directions."
    )
    return level_table(f"{kind.capitalize()} paths, level by level", found.levels, columns, caption)


def spoken(found: InterpolationFindings, model: Model) -> Table:
    """Step by step at one level: the likeliest token, and how far it is from both ends."""
    parts = [_steps(pair, found.middle, model) for pair in found.pairs]
    caption = (
        "Log-odds: of the end's token against the start's, in nats; KL from each end's distribution, entropy of the "
        "next token, all on the straight path. Random: the likeliest token on the first random path."
    )
    title = f"What it says on the way, at {found.middle.place}"
    return Table(title=title, frame=pd.concat(parts, ignore_index=True), caption=caption)


def _steps(pair: PromptPair, level: Level, model: Model) -> pd.DataFrame:
    straight, round_ = pair.at(level, "straight"), pair.at(level, "spherical")
    own, n = straight.own, len(straight.own.top)
    spread = np.array([along.log_odds for along in straight.random])
    tops = {"straight": own.top, "spherical": round_.own.top, "random": straight.random[0].top}
    columns: dict[str, object] = {"from … to": [f"{pair.start} … {pair.end}", *[""] * (n - 1)]}
    columns |= {"way": np.linspace(0, 1, n)}
    columns |= {name: [repr(model.tokenizer.decode([token])) for token in top] for name, top in tops.items()}
    columns |= {"log-odds": own.log_odds, "spherical log-odds": round_.own.log_odds}
    columns |= {"random low": spread.min(0), "random high": spread.max(0)}
    return pd.DataFrame(columns | {"KL start": own.kl_start, "KL end": own.kl_end, "entropy": own.entropy})


def _curve(found: InterpolationFindings) -> Picture:
    pair, level = found.pairs[0], found.middle
    walks = {kind: pair.at(level, kind) for kind in found.by_kind}
    spread = np.array([along.log_odds for walk in walks.values() for along in walk.random])
    return line_picture(
        "Along one path", _ways(found), {kind: walk.own.log_odds.tolist() for kind, walk in walks.items()},
        "Log-odds of the end's next token against the start's along both paths, with the range of paths of the same "
        "length in random directions.",
        bands={"random directions": (spread.min(0).tolist(), spread.max(0).tolist())}, xlabel="share of the way",
        title=f"From “{pair.start}” to “{pair.end}” at {level.place}", ylabel="log-odds of the end's token, nats",
    )  # fmt: skip


def _grid(found: InterpolationFindings) -> Picture:
    changing = [pair for pair in found.pairs if pair.start != pair.end] or found.pairs
    done = [[done_at(pair.at(level, "straight").own.log_odds) for pair in changing] for level in found.levels[::-1]]
    return grid_picture(
        "Levels and steps",
        "Share of the change of log-odds that is done at each point of the straight path, mean over pairs.",
        np.mean(done, axis=1), [level.tick for level in found.levels[::-1]], _ways(found), xlabel="share of the way",
        title="Straight paths: how much of the change is done", ylabel="level", bar="share of the change of log-odds",
    )  # fmt: skip


def _ways(found: InterpolationFindings) -> list[str]:
    return [f"{share:.2f}" for share in np.linspace(0, 1, found.settings.steps)]

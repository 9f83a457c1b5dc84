"""What an interpolation study says in sentences: the headline and the notes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.geometry.interpolation.numbers import Pair, of_walk, over_pairs
from latentmech.model import Level, Model
from latentmech.report import Ledger

if TYPE_CHECKING:
    from latentmech.geometry.interpolation.study import InterpolationStudy


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
        f"and by less than the path at every level in {beyond} pairs. The change is most sudden at {sudden.place}, "
        f"where {found[sudden]['steepest'].value:.0%} of it falls into one of {study.steps - 1} steps; there the "
        f"likeliest token is neither end's at {found[sudden]['third_token'].value:.0%} of the points between."
    )


def notes_on(study: "InterpolationStudy", model: Model, ledger: Ledger) -> list[str]:
    """What a reader must know before believing a path."""
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


def _beats_chance(pair: Pair, level: Level) -> bool:
    numbers = of_walk(pair.at(level, "straight"))
    return numbers["change"] > numbers["random_change_max"]


def _or_nothing(value: float) -> float:
    return value if np.isfinite(value) else 0.0

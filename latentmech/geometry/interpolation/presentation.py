"""From walks to a `Report`: what is said on the way, how the change is spread, and what random paths do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latentmech.geometry.interpolation.numbers import Pair, write_down
from latentmech.geometry.interpolation.paths import KINDS
from latentmech.geometry.interpolation.pictures import curve, grid
from latentmech.geometry.interpolation.tables import level_table, spoken
from latentmech.geometry.interpolation.words import headline, notes_on
from latentmech.model import Level, Model
from latentmech.report import Ledger, Report

if TYPE_CHECKING:
    from latentmech.geometry.interpolation.study import InterpolationStudy


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
            "straight": level_table(pairs, levels, "straight"),
            "spoken": spoken(model, pairs, shown),
            "spherical": level_table(pairs, levels, "spherical"),
        },
        pictures={"path": curve(pairs[0], shown), "levels": grid(pairs, levels)},
        notes=tuple(notes_on(study, model, ledger)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}},
    )

"""The tables of a dimension study: the levels with their controls; sample size and scale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from latentmech.geometry.dimension.estimates import at_share
from latentmech.geometry.dimension.findings import CONTROLS, Found, middle_mle
from latentmech.model import Level
from latentmech.report import Table

if TYPE_CHECKING:
    from latentmech.geometry.dimension.study import DimensionStudy


def level_table(study: "DimensionStudy", found: Found, levels: Sequence[Level], unit: str) -> Table:
    """One row per level, with the controls."""
    rows = []
    for i, level in enumerate(levels):
        own = found["model"][i]
        row: dict[str, object] = {"level": level.tick, "distinct": own["n"].value, "copies": own["duplicates"].value}
        row |= {"TwoNN": own["two_nn"].value, "low": own["two_nn"].ci_low, "high": own["two_nn"].ci_high}
        row |= {f"TwoNN {CONTROLS[who]}": found[who][i]["two_nn"].value for who in CONTROLS if who in found}
        row |= {middle_mle(study).replace("mle_k", "MLE k="): own[middle_mle(study)].value}
        row |= {"PR": own["participation_ratio"].value}
        row |= {f"PR {CONTROLS[who]}": found[who][i]["participation_ratio"].value for who in CONTROLS if who in found}
        rows.append(row | {"PR standardised": own["participation_ratio_standardised"].value})
    caption = (
        f"Means over {study.seeds} draws of up to {study.points} {unit}, low and high the smallest and the largest. "
        "Copies were removed before anything was estimated. PR: participation ratio; standardised: of the correlation "
        "matrix, where no coordinate can be large. Coordinates shuffled: the same margins with no relation, what the "
        f"estimator gives for independent coordinates from as many {unit}."
    )
    return Table(title="Dimension by level", frame=pd.DataFrame(rows), caption=caption)


def scan_table(study: "DimensionStudy", found: Found, levels: Sequence[Level]) -> Table:
    """One row per level: parts of the draw, and numbers of neighbours."""
    shares = sorted(study.shares)
    rows = []
    for level, own in zip(levels, found["model"], strict=True):
        row: dict[str, object] = {"level": level.tick}
        row |= {f"TwoNN of {share:g}": own[at_share("two_nn", share)].value for share in shares}
        row |= {f"PR of {share:g}": own[at_share("participation_ratio", share)].value for share in shares}
        rows.append(row | {f"MLE k={k}": own[f"mle_k{k}"].value for k in sorted(study.scales)})
    caption = (
        "Estimates from parts of the draw (sample size) and from more neighbours (scale). Only a number that stays "
        "the same along a row is a property of the space; the rest is one of the sample or of the scale."
    )
    return Table(title="Sample size and scale", frame=pd.DataFrame(rows), caption=caption)

"""Every number of a dimension study, by its flat name and as a tidy row."""

from collections.abc import Sequence

from latentmech.geometry.dimension.findings import Found
from latentmech.model import Level
from latentmech.report import Ledger


def numbers(found: Found, levels: Sequence[Level], ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    for who, per_level in found.items():
        prefix = "geometry/dimension" + ("" if who == "model" else f"/{who}")
        for level, scores in zip(levels, per_level, strict=True):
            own = "embed" if level.layer is None else None
            control = own if who == "model" else who
            for name, estimate in scores.items():
                place = {"layer": level.layer, "control": control, "method": name.partition("@")[0]}
                ledger.add(f"{prefix}/{level.label}/{name}", estimate, name, **place)

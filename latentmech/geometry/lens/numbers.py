"""Every number of a lens study, by its flat name and as a tidy row."""

from collections.abc import Sequence

from latentmech.geometry.lens.findings import Findings, Means
from latentmech.model import Level
from latentmech.report import Ledger
from latentmech.statistics import Estimate


def numbers(ledger: Ledger, findings: Findings, means: Means, own: dict[str, list[Estimate]]) -> None:
    """Write all of them into `ledger`."""
    _grid(ledger, findings.levels, "geometry/lens", own, None)
    shuffled = {name: means.levels(grid) for name, grid in findings.own.shuffled.items()}
    _grid(ledger, findings.levels, "geometry/lens/shuffled", shuffled, "shuffled")
    if findings.twin is not None:
        twin = {name: means.levels(grid) for name, grid in findings.twin.own.items()}
        _grid(ledger, findings.levels, "geometry/lens/random_init", twin, "random_init")
    for name, values in findings.unigram.items():
        ledger.add(f"geometry/lens/unigram/{name}", means.of(values), name, control="unigram")
    for kind, grid in findings.cosines.own.items():
        _grid(ledger, findings.levels, "geometry/lens/cosine", {kind: means.levels(grid)}, None)
        random = {kind: means.levels(findings.cosines.random[kind])}
        _grid(ledger, findings.levels, "geometry/lens/cosine/random", random, "random_token")


def _grid(
    ledger: Ledger, levels: Sequence[Level], prefix: str, found: dict[str, list[Estimate]], control: str | None
) -> None:
    for name, estimates in found.items():
        for level, value in zip(levels, estimates, strict=True):
            ledger.add(f"{prefix}/{level.label}/{name}", value, name, layer=level.layer, control=control)

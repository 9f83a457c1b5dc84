"""Every number of a comparison, by its flat name and as a tidy row."""

from latentmech.geometry.compare.against import Against
from latentmech.geometry.compare.measures import MEASURES
from latentmech.geometry.compare.procrustes import distance
from latentmech.report import Ledger


def numbers(ledger: Ledger, other: Against, prefix: str, control: str | None) -> None:
    """Write one comparison into `ledger`, its names below `prefix`."""
    for at in other.levels:
        place = {"layer": at.level.layer, "control": control, "split": other.name}
        flat = f"geometry/compare{prefix}/{at.level.label}"
        for name, value in at.alike.own.items():
            ledger.add(f"{flat}/{name}", value, name, **place)
        for name, value in at.alike.chance.items() if control is None else ():
            kind = "random_subspace" if name == "subspace" else "shuffled"
            ledger.add(f"{flat}/{kind}/{name}", value, name, **{**place, "control": kind})
        apart = distance(at.alike.own["procrustes"].value)
        ledger.add(f"{flat}/procrustes_distance", apart, "procrustes_distance", **place)
        if at.drift is not None:
            for name in ("cosine", "source", "frozen", "refitted", "loss", "random_p95"):
                ledger.add(f"{flat}/direction/{name}", getattr(at.drift, name), f"direction_{name}", **place)
        if at.effect is not None:
            for name in ("source", "frozen", "turned", "refitted", "random_max", "kept", "kept_turned", "length"):
                ledger.add(f"{flat}/effect/{name}", getattr(at.effect, name), f"effect_{name}", **place)
        if at.probed is not None:
            for name in ("source", "frozen", "refitted", "loss", "majority"):
                ledger.add(f"{flat}/probe/{name}", getattr(at.probed, name), f"probe_{name}", **place)
    for name in MEASURES:
        ledger.add(f"geometry/compare{prefix}/{name}", other.mean(name), f"mean_{name}", control=control)

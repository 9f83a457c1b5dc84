"""Every number of a neighbours study, by its flat name and as a tidy row."""

from latentmech.geometry.neighbours.findings import Cloud, Findings
from latentmech.report import Ledger

ROOM = "geometry/neighbours"


def numbers(findings: Findings, ledger: Ledger) -> None:
    """Write all of them into `ledger`."""
    for cloud in findings.clouds:
        _cloud_numbers(ledger, f"{ROOM}/{cloud.pool}/{cloud.space}/{cloud.kind}", cloud, None)
    for cloud in findings.twin:
        _cloud_numbers(ledger, f"{ROOM}/random_init/{cloud.pool}/{cloud.space}/{cloud.kind}", cloud, "random_init")
    for near in findings.neighbourhoods:
        columns = {"layer": near.space, "split": near.pool}
        ledger.add(f"{ROOM}/{near.pool}/{near.space}/kept_from_embed", near.kept, "kept_from_embed", **columns)


def _cloud_numbers(ledger: Ledger, name: str, cloud: Cloud, control: str | None) -> None:
    columns = {"layer": cloud.space, "method": cloud.kind, "split": cloud.pool}
    for metric in ("anisotropy", "hubness", "never"):
        ledger.add(f"{name}/{metric}", getattr(cloud, metric), metric, control=control, **columns)
    null = "gaussian" if control is None else f"gaussian_{control}"
    ledger.add(f"{name}/hubness_gaussian", cloud.hubness_null, "hubness", control=null, **columns)

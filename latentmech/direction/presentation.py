"""From findings to a `Report`, with the direction as a file."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from latentmech.direction.direction import Direction
from latentmech.direction.findings import Findings
from latentmech.direction.numbers import numbers
from latentmech.direction.pictures import curves, grid_picture, layer_picture
from latentmech.direction.sources import push_to_hub
from latentmech.direction.tables import layer_table, relative_tables, stability_table, table_on_test
from latentmech.direction.words import headline, notes_on
from latentmech.model import Model
from latentmech.report import Ledger, Report
from latentmech.storage import save_json

if TYPE_CHECKING:
    from latentmech.direction.study import DirectionStudy


def present(study: "DirectionStudy", findings: Findings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "direction", "task": study.called, "site": study.site, "method": study.method})
    numbers(findings, ledger)
    own = findings.direction
    tables = {
        "test": table_on_test(findings),
        "layers": layer_table(findings),
        "stability": stability_table(findings),
    }
    tables |= {f"selection_{i}": table for i, table in enumerate(findings.choice.tables)}
    tables |= relative_tables(findings)
    pictures = {"layer_curve": layer_picture(study, findings, model), "grid": grid_picture(study, findings, model)}
    pictures |= {f"selection_{i}": picture for i, picture in enumerate(findings.choice.pictures)}
    return Report(
        title=f"{study.called} direction in {model.name}",
        headline=headline(study, findings, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        curves=tuple(curves(findings)),
        notes=tuple(notes_on(study, findings, model)),
        artifacts={f"directions/{study.called}.safetensors": own.packed()},
        exports={} if study.push is None else {"hub": partial(_pushed, own, study.push)},
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "data": own.card["data"],
        },
    )


def _pushed(direction: Direction, repo: str, folder: Path) -> None:
    """Upload the direction, and note where it went."""
    save_json(folder / "pushed.json", {"repository": repo, "commit": push_to_hub(direction, repo)})

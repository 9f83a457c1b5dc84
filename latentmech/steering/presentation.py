"""From measurements to a `Report`."""

from typing import TYPE_CHECKING

from latentmech.model import Model
from latentmech.report import Ledger, Report
from latentmech.steering.doses import Doses
from latentmech.steering.numbers import numbers, verdict_numbers
from latentmech.steering.pictures import curves, dose_picture, trade_picture
from latentmech.steering.tables import completion_table, control_table, item_table, layer_table, strength_table
from latentmech.steering.verdict_tables import answer_table, removal_table, verdict_table
from latentmech.steering.words import headline, notes_on

if TYPE_CHECKING:
    from latentmech.steering.study import Measured, SteeringStudy


def present(study: "SteeringStudy", found: "Measured", model: Model) -> Report:
    """Everything a reader gets."""
    common = {"study": "steering", "task": found.direction.name, "method": study.edit}
    ledger = Ledger(common | {"layer": found.direction.level.label, "site": found.direction.hook_name})
    dose = Doses(study, found)
    numbers(dose, ledger)
    tables = {"strengths": strength_table(dose), "controls": control_table(dose)}
    pictures = {"dose_response": dose_picture(dose, model)}
    if len(found.strengths) > 1:
        pictures["trade_off"] = trade_picture(dose, model)
    if found.verdict is not None:
        verdict_numbers(study, found.verdict, ledger)
        tables = {"necessity": verdict_table(found.verdict), "removals": removal_table(found.verdict), **tables}
        tables["answers"] = answer_table(found.verdict)
    if found.choice is not None:
        tables["layers"] = layer_table(found)
    if found.selection is not None:
        tables |= {f"selection_{i}": table for i, table in enumerate(found.selection.tables)}
        pictures |= {f"selection_{i}": picture for i, picture in enumerate(found.selection.pictures)}
    tables |= {"completions": completion_table(dose), "items": item_table(dose)}
    return Report(
        title=f"{found.direction.name} steering in {model.name}",
        headline=headline(dose, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        curves=tuple(curves(dose)),
        notes=tuple(notes_on(study, found, model)),
        exports=found.exports,
        artifacts={f"directions/{found.direction.name}.safetensors": found.direction.packed()},
        labels={"strength": dose.strengths[0]} if len(dose.strengths) == 1 else {},
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "direction": {"name": found.direction.name, "hook_name": found.direction.hook_name},
        },
    )

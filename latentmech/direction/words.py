"""What a direction study says in sentences: the headline and the notes."""

from typing import TYPE_CHECKING

import numpy as np

from latentmech.direction.findings import Findings
from latentmech.direction.tables import NAMES, nulls
from latentmech.fields import switched_off
from latentmech.model import Model
from latentmech.statistics import Estimate

if TYPE_CHECKING:
    from latentmech.direction.study import DirectionStudy


def headline(study: "DirectionStudy", findings: Findings, model: Model) -> str:
    """How well it separates, its strongest rival, and whether the model behaves so."""
    test, best = findings.audit.test, findings.best
    where = f"block {best.level.layer} of {model.name} ({best.position})"
    said = f"At {where} the {study.called} direction separates test texts with AUROC {_interval(test)}."
    rivals = {r.name: r.raw.value for r in findings.audit.readings[1:] if r.name in ("bag_of_words", "length")}
    for name, values in nulls(findings).items():
        rivals[name] = float(np.percentile(values, 95))
    strongest = max(rivals, key=lambda name: rivals[name])
    verdict = "more than" if test.ci_low > rivals[strongest] else "not clearly more than"
    said += f" That is {verdict} its strongest rival, {NAMES.get(strongest, strongest)} ({rivals[strongest]:.3f})."
    return f"{said} {_behaviour(findings, model)}".strip()


def _behaviour(findings: Findings, model: Model) -> str:
    """Whether the model does what the direction is named after."""
    shown = findings.shown
    if shown is None:
        return ""
    rates = f"{shown.name}: {shown.positive:.0%} of positive and {shown.negative:.0%} of negative test texts"
    if shown.positive - shown.negative >= 0.5:
        return f"{model.name} shows the behaviour itself ({rates})."
    return f"{model.name} does not show the behaviour itself ({rates}), so this is a direction of how the texts look."


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.ci_low:.3f}, {estimate.ci_high:.3f}]"


def notes_on(study: "DirectionStudy", findings: Findings, model: Model) -> list[str]:
    """What a reader must know before believing the direction."""
    notes = [*findings.contrast.notes, *findings.choice.notes]
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    if findings.shown is not None and findings.shown.positive - findings.shown.negative < 0.5:
        notes.append(_behaviour(findings, model))
    return notes + [f"Switched off by setting: {name}." for name in switched_off(study)]

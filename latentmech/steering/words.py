"""What a steering study says in sentences: the headline and the notes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.model import Model
from latentmech.steering.doses import Doses
from latentmech.steering.necessity import Verdict

if TYPE_CHECKING:
    from latentmech.steering.study import Measured, SteeringStudy


def headline(dose: Doses, model: Model) -> str:
    """What the ends of the dose do, beside random directions, and the verdict on refusals."""
    found, name = dose.found, dose.found.direction.name
    where = f"block {found.direction.layer} of {model.name}"
    ends = [i for i in (int(np.argmin(dose.strengths)), int(np.argmax(dose.strengths))) if dose.strengths[i] != 0]
    parts = [f"{dose.effect[i]:+.2f} nats at {dose.strengths[i]:+g} (KL {dose.kl[i]:.2f})" for i in dict.fromkeys(ends)]
    said = f"Adding the {name} direction at {where} changes its log-odds by {' and '.join(parts) or 'nothing'}."
    if len(dose.random):
        beyond = all(dose.beats_null(i) for i in ends)
        largest = max((np.abs(dose.random[:, i]).max() for i in ends), default=0.0)
        verdict = "more than" if beyond else "not more than"
        said += f" That is {verdict} the largest of {len(dose.random)} random directions ({largest:.2f})."
    if found.verdict is not None:
        said += f" {_verdict_sentence(found.verdict)}"
    return said


def _verdict_sentence(verdict: Verdict) -> str:
    a, i = verdict.ablated, verdict.induced
    return (
        f"Removed ({verdict.removed_by.replace('_', '-')}), it takes refusals of harmful requests from "
        f"{a.clean.mean():.0%} to {a.edited.mean():.0%} at {verdict.perplexity:.2f} times the perplexity; added "
        f"(× {verdict.added:g}), it takes those of harmless ones from {i.clean.mean():.0%} to {i.edited.mean():.0%}."
    )


def notes_on(study: "SteeringStudy", found: "Measured", model: Model) -> Sequence[str]:
    """What a reader must know before believing an effect."""
    notes = [*found.notes, *(found.selection.notes if found.selection else ()), *found.trials.notes]
    if model.checkpoint.note:
        notes.append(f"{model.name}: {model.checkpoint.note}.")
    if found.verdict is not None and found.verdict.ablated.clean.mean() < 0.5:
        rate = found.verdict.ablated.clean.mean()
        notes.append(f"{model.name} refuses {rate:.0%} of harmful requests when untouched: there is little to remove.")
    if found.exports:
        notes.append("In weights/ablated the direction is removed from every token: the plain ablation.")
    if found.exports and "weights/added" not in found.exports:
        wanted = "edit=addition, exactly one strength but 0, a scope of all tokens and no gate"
        notes.append(f"There is no weights/added: an addition in the weights needs {wanted}.")
    off = {
        "random directions": study.random == 0,
        "shuffled labels": not study.shuffled,
        "prompting baseline": not study.prompting,
    }
    if study.shuffled and found.sweep.shuffled is None:
        notes.append("No direction from shuffled labels: a saved direction comes without its texts.")
    return notes + [f"Switched off by setting: {name}." for name, is_off in off.items() if is_off]

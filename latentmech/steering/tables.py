"""The tables of a sweep: dose and response, what stands beside it, what is said, prompt by prompt."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.report import Table
from latentmech.statistics import Estimate
from latentmech.steering.doses import Doses
from latentmech.steering.sweep import slopes

if TYPE_CHECKING:
    from latentmech.steering.study import Measured


def strength_table(dose: Doses) -> Table:
    """One row per strength: effect, null, damage."""
    rows = []
    for i, strength in enumerate(dose.strengths):
        change = dose.estimate(dose.sweep.own.score[i] - dose.clean)
        low, high = dose.null(i)
        rows.append(
            {
                "strength": strength,
                "effect": change.value,
                "low": change.ci_low,
                "high": change.ci_high,
                "random from": low,
                "to": high,
                "KL": dose.kl[i],
                "neutral ppl ×": dose.sweep.neutral[i + 1] / dose.sweep.neutral[0],
                "own ppl": float(np.exp(dose.loss[i])),
                "reading": float(dose.found.readings[i + 1]),
                "repeats": dose.sweep.repetition[i + 1],
                **{f"in {u}": v for u, v in dose.found.scale.in_units(dose.sweep.lengths[i]).items()},
            }
        )
    caption = (
        f"Strength in units of {dose.study.unit}. Effect: change of the log-odds against the untouched model, in nats, "
        f"mean over {len(dose.found.trials)} prompts with a 95 % interval over their groups. KL in nats per token over "
        f"{dose.study.kl_tokens} tokens of the untouched model's text; own ppl: perplexity of that text when steered; "
        "reading: what the direction reads in the answers, in standard deviations of the untouched model's."
    )
    return Table(title="Dose and response", frame=pd.DataFrame(rows), caption=caption)


def layer_table(found: "Measured") -> Table:
    """Where the direction could be added, and where it is."""
    assert found.choice is not None
    chosen = found.choice.layer
    rows = [
        {"layer": layer, "mark": "chosen" if layer == chosen else "", "least rise": step}
        for layer, step in zip(found.choice.layers, found.choice.steps.tolist(), strict=True)
    ]
    caption = "Least rise of the effect from one strength to the next, in nats per unit of strength, on dev prompts."
    return Table(title="Where to add it", frame=pd.DataFrame(rows), caption=caption)


def control_table(dose: Doses) -> Table:
    """Slopes, and what a prompt does instead."""
    slope = dose.slope()
    rows = [_control("direction, nats per unit of strength", dose.estimate(slope))]
    rows.append(_control("share of prompts that move the wrong way", dose.estimate((slope < 0).astype(float))))
    others = [slopes(random.score, dose.strengths).mean() for random in dose.sweep.random]
    if others:
        rows.append({"what": "random directions, steepest slope", "value": float(np.abs(others).max())})
    if dose.sweep.shuffled is not None:
        rows.append(
            _control("shuffled labels, slope", dose.estimate(slopes(dose.sweep.shuffled.score, dose.strengths)))
        )
    for kind, told in dose.sweep.prompting.items():
        rows.append(_control(f"instruction {kind} it, change in nats", dose.estimate(told - dose.clean)))
    caption = "Slopes are fitted per prompt. The instructions are what a user would try first."
    return Table(title="Beside it", frame=pd.DataFrame(rows), caption=caption)


def _control(what: str, estimate: Estimate) -> dict[str, object]:
    return {"what": what, "value": estimate.value, "low": estimate.ci_low, "high": estimate.ci_high}


def completion_table(dose: Doses) -> Table:
    """The first prompts' answers at every strength."""
    shown = range(min(8, len(dose.found.trials)))
    rows = [
        {"prompt": dose.found.trials.shown[i], "strength": "clean", "text": dose.sweep.clean_answers[i]} for i in shown
    ]
    for strength, answers in zip(dose.strengths, dose.sweep.answers, strict=True):
        rows += [
            {"prompt": dose.found.trials.shown[i], "strength": f"{strength:+g}", "text": answers[i]} for i in shown
        ]
    frame = pd.DataFrame(rows).sort_values("prompt", kind="stable", ignore_index=True)
    return Table(title="What it says", frame=frame, caption=f"Greedy, {dose.study.n_tokens} tokens, first prompts.")


def item_table(dose: Doses) -> Table:
    """Every prompt's own numbers."""
    frame = pd.DataFrame({"prompt": dose.found.trials.shown, "group": dose.found.trials.groups, "clean": dose.clean})
    for strength, scores in zip(dose.strengths, dose.sweep.own.score, strict=True):
        frame[f"{strength:+g}"] = scores
    frame["slope"] = dose.slope()
    return Table(title="Prompt by prompt", frame=frame, caption="Log-odds in nats at each strength.")

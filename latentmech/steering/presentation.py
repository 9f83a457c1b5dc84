"""From measurements to a `Report`: dose against effect against damage, in words, tables and pictures."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentmech.model import Model
from latentmech.report import Curve, Ledger, Picture, Report, Table, layer_curve, trade_off
from latentmech.statistics import Estimate, bootstrap_mean
from latentmech.steering.necessity import Rates, Verdict
from latentmech.steering.sweep import slopes

if TYPE_CHECKING:
    from latentmech.steering.study import Measured, SteeringStudy


def present(study: "SteeringStudy", found: "Measured", model: Model) -> Report:
    """Everything a reader gets."""
    common = {"study": "steering", "task": found.direction.name, "method": study.edit}
    ledger = Ledger(common | {"layer": found.direction.level.label, "site": found.direction.hook_name})
    dose = _Doses(study, found)
    _numbers(dose, ledger)
    tables = {"strengths": _strength_table(dose), "controls": _control_table(dose)}
    pictures = {"dose_response": _dose_picture(dose, model)}
    if len(found.strengths) > 1:
        pictures["trade_off"] = _trade_picture(dose, model)
    if found.verdict is not None:
        _verdict_numbers(study, found.verdict, ledger)
        tables = {"necessity": _verdict_table(found.verdict), "removals": _removal_table(found.verdict), **tables}
        tables["answers"] = _answer_table(found.verdict)
    if found.choice is not None:
        tables["layers"] = _layer_table(found)
    if found.selection is not None:
        tables |= {f"selection_{i}": table for i, table in enumerate(found.selection.tables)}
        pictures |= {f"selection_{i}": picture for i, picture in enumerate(found.selection.pictures)}
    tables |= {"completions": _completion_table(dose), "items": _item_table(dose)}
    return Report(
        title=f"{found.direction.name} steering in {model.name}",
        headline=_headline(dose, model),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables=tables,
        pictures=pictures,
        curves=tuple(_curves(dose)),
        notes=tuple(_notes(study, found, model)),
        exports=found.exports,
        artifacts={f"directions/{found.direction.name}.safetensors": found.direction.packed()},
        labels={"strength": dose.strengths[0]} if len(dose.strengths) == 1 else {},
        provenance={
            "model": {"name": model.name, "fingerprint": model.fingerprint, "revision": model.checkpoint.revision},
            "direction": {"name": found.direction.name, "hook_name": found.direction.hook_name},
        },
    )


class _Doses:
    """The numbers of a sweep as the report needs them."""

    def __init__(self, study: "SteeringStudy", found: "Measured"):
        self.study, self.found, self.sweep = study, found, found.sweep
        self.strengths = [float(s) for s in found.strengths]
        self.clean = self.sweep.clean
        groups = np.array(found.trials.groups, dtype=object)
        self.clusters = np.unique(groups, return_inverse=True)[1]
        self.effect = self.sweep.own.effect(self.clean)
        self.random = np.array([dose.effect(self.clean) for dose in self.sweep.random])
        self.kl = self.sweep.drift.kl.double().mean(1).numpy()
        self.loss = self.sweep.drift.log_loss.double().mean(1).numpy()

    def estimate(self, values: np.ndarray) -> Estimate:
        """Mean over prompts with an interval over their groups."""
        return bootstrap_mean(values, self.clusters, self.study.draws)

    def null(self, at: int) -> tuple[float, float]:
        """The smallest and the largest effect of a random direction at a strength."""
        column = self.random[:, at] if len(self.random) else np.array([np.nan])
        return float(column.min()), float(column.max())

    def beats_null(self, at: int) -> bool:
        """Whether the direction's effect lies beyond that of every random direction, in size."""
        return len(self.random) > 0 and bool(abs(self.effect[at]) > np.abs(self.random[:, at]).max())

    def slope(self) -> np.ndarray:
        """Per prompt, nats per unit of strength."""
        return slopes(self.sweep.own.score, self.strengths)


def _at(strength: float) -> str:
    return f"@{strength:+.2f}"


def _headline(dose: _Doses, model: Model) -> str:
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


def _numbers(dose: _Doses, ledger: Ledger) -> None:
    """Every strength's numbers, flat and as rows."""
    ledger.add("steering/clean", dose.estimate(dose.clean), "log_odds", control="clean")
    for i, strength in enumerate(dose.strengths):
        own = {"strength": strength}
        change = dose.sweep.own.score[i] - dose.clean
        ledger.add(f"steering/effect{_at(strength)}", dose.estimate(change), "effect", **own)
        ledger.add(f"steering/kl{_at(strength)}", dose.estimate(dose.sweep.drift.kl[i].double().numpy()), "kl", **own)
        factor = dose.sweep.neutral[i + 1] / dose.sweep.neutral[0]
        ledger.add(f"steering/neutral_perplexity{_at(strength)}", factor, "perplexity_factor", **own)
        ledger.add(f"steering/own_perplexity{_at(strength)}", float(np.exp(dose.loss[i])), "perplexity", **own)
        ledger.add(f"steering/repetition{_at(strength)}", dose.sweep.repetition[i + 1], "repetition", **own)
        shift = float(dose.found.readings[i + 1])
        ledger.add(f"steering/reading{_at(strength)}", shift, "reading", **own)
        for unit, value in dose.found.scale.in_units(dose.sweep.lengths[i]).items():
            ledger.add(f"steering/strength_{unit}{_at(strength)}", value, f"strength_{unit}", **own)
        _null_numbers(dose, i, ledger)
    slope = dose.slope()
    ledger.add("steering/slope", dose.estimate(slope), "slope")
    ledger.add("steering/wrong_way", dose.estimate((slope < 0).astype(float)), "share")
    for kind, told in dose.sweep.prompting.items():
        change = dose.estimate(told - dose.clean)
        ledger.add(f"steering/prompting/{kind}", change, "effect", control=f"prompting_{kind}")


def _null_numbers(dose: _Doses, i: int, ledger: Ledger) -> None:
    at, own = _at(dose.strengths[i]), {"strength": dose.strengths[i]}
    if len(dose.random):
        low, high = dose.null(i)
        ledger.add(f"steering/null_min{at}", low, "effect", control="random_min", **own)
        ledger.add(f"steering/null_max{at}", high, "effect", control="random_max", **own)
        beyond = dose.effect[i] - float(dose.random[:, i].mean())
        ledger.add(f"steering/effect_minus_null{at}", beyond, "effect_minus_null", **own)
    if dose.sweep.shuffled is not None:
        change = dose.estimate(dose.sweep.shuffled.score[i] - dose.clean)
        ledger.add(f"steering/shuffled{at}", change, "effect", control="shuffled", **own)


def _strength_table(dose: _Doses) -> Table:
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


def _layer_table(found: "Measured") -> Table:
    assert found.choice is not None
    chosen = found.choice.layer
    rows = [
        {"layer": layer, "mark": "chosen" if layer == chosen else "", "least rise": step}
        for layer, step in zip(found.choice.layers, found.choice.steps.tolist(), strict=True)
    ]
    caption = "Least rise of the effect from one strength to the next, in nats per unit of strength, on dev prompts."
    return Table(title="Where to add it", frame=pd.DataFrame(rows), caption=caption)


def _control_table(dose: _Doses) -> Table:
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


def _completion_table(dose: _Doses) -> Table:
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


def _item_table(dose: _Doses) -> Table:
    """Every prompt's own numbers."""
    frame = pd.DataFrame({"prompt": dose.found.trials.shown, "group": dose.found.trials.groups, "clean": dose.clean})
    for strength, scores in zip(dose.strengths, dose.sweep.own.score, strict=True):
        frame[f"{strength:+g}"] = scores
    frame["slope"] = dose.slope()
    return Table(title="Prompt by prompt", frame=frame, caption="Log-odds in nats at each strength.")


def _dose_picture(dose: _Doses, model: Model) -> Picture:
    order = np.argsort(dose.strengths)
    ticks = [f"{dose.strengths[i]:+g}" for i in order]
    estimates = [dose.estimate(dose.sweep.own.score[i] - dose.clean) for i in order]
    name = dose.found.direction.name
    bands = {name: ([e.ci_low for e in estimates], [e.ci_high for e in estimates])}
    if len(dose.random):
        ends = [dose.null(int(i)) for i in order]
        bands[f"{len(dose.random)} random directions"] = ([e[0] for e in ends], [e[1] for e in ends])
    series = {name: [e.value for e in estimates]}
    if dose.sweep.shuffled is not None:
        series["shuffled labels"] = dose.sweep.shuffled.effect(dose.clean)[order].tolist()
    lines = {f"instruction {kind} it": float((told - dose.clean).mean()) for kind, told in dose.sweep.prompting.items()}
    title = f"{name} at block {dose.found.direction.layer} of {model.name}"
    xlabel = f"strength ({dose.study.unit})"
    figure = layer_curve(ticks, series, bands, lines, "change of log-odds (nats)", title, xlabel=xlabel, best="")
    caption = "Effect against strength with 95 % intervals, and the range of random directions of the same length."
    return Picture(title="Dose and response", figure=figure, caption=caption)


def _trade_picture(dose: _Doses, model: Model) -> Picture:
    name = dose.found.direction.name
    points = list(zip(dose.kl.tolist(), dose.effect.tolist(), [f"{s:+g}" for s in dose.strengths], strict=True))
    figure = trade_off(
        points,
        title=f"What {name} steering costs in {model.name}",
        xlabel="KL to the untouched model (nats per token)",
        ylabel="change of log-odds (nats)",
    )
    return Picture(
        title="Effect against damage", figure=figure, caption="One point a strength; better is far from zero, and left."
    )


def _curves(dose: _Doses) -> Iterator[Curve]:
    """Everything against strength."""
    order = np.argsort(dose.strengths)
    steps = tuple(dose.strengths[i] for i in order)
    values = {"effect": dose.effect, "kl": dose.kl, "own_perplexity": np.exp(dose.loss)}
    values["neutral_perplexity"] = np.array(dose.sweep.neutral[1:]) / dose.sweep.neutral[0]
    if len(dose.random):
        values |= {"null_max": dose.random.max(0), "null_min": dose.random.min(0)}
    for name, numbers in values.items():
        curve = tuple(float(numbers[i]) for i in order)
        yield Curve(name=f"steering/{name}", axis="steering/strength", steps=steps, values=curve)


def _verdict_numbers(study: "SteeringStudy", verdict: Verdict, ledger: Ledger) -> None:
    sides = {"harmful": ("ablated", verdict.ablated, min), "harmless": ("added", verdict.induced, max)}
    for kind, (edited, rates, extreme) in sides.items():
        for name, values in (("clean", rates.clean), (edited, rates.edited)):
            estimate = _rate(study, rates, values)
            ledger.add(f"steering/refusal_rate/{kind}/{name}", estimate, "refusal_rate", control=name, split="test")
        if rates.random:
            name = f"steering/refusal_rate/{kind}/{edited}_random"
            ledger.add(name, extreme(rates.random), "refusal_rate", control=f"random_{edited}", split="test")
    ledger.add("steering/ablation/neutral_perplexity", verdict.perplexity, "perplexity_factor", split="test")
    ledger.add("steering/added_times_raw", verdict.added, "strength_raw")
    for removal in verdict.removals:
        columns = {"split": "dev", "control": removal.kind}
        ledger.add(f"steering/ablation/{removal.kind}/dev/refusal_rate", removal.rate, "refusal_rate", **columns)
        name = f"steering/ablation/{removal.kind}/dev/neutral_perplexity"
        ledger.add(name, removal.perplexity, "perplexity_factor", **columns)


def _rate(study: "SteeringStudy", rates: Rates, values: np.ndarray) -> Estimate:
    clusters = np.unique(np.array(rates.groups, dtype=object), return_inverse=True)[1]
    return bootstrap_mean(values, clusters, study.draws)


def _verdict_table(verdict: Verdict) -> Table:
    a, i = verdict.ablated, verdict.induced
    rows = [
        {"requests": "harmful", "n": len(a.clean), "clean": a.clean.mean(), "edit": f"removed, {verdict.removed_by}",
         "edited": a.edited.mean(), "random, most effective": min(a.random, default=np.nan)},
        {"requests": "harmless", "n": len(i.clean), "clean": i.clean.mean(), "edit": f"added, × {verdict.added:g}",
         "edited": i.edited.mean(), "random, most effective": max(i.random, default=np.nan)},
    ]  # fmt: skip
    caption = (
        f"Share of test requests refused, by the beginning of the answer. {len(a.random)} random directions were "
        "removed and added likewise. How to remove and how much to add was chosen on dev."
    )
    return Table(title="Is it needed, does it suffice?", frame=pd.DataFrame(rows), caption=caption)


def _removal_table(verdict: Verdict) -> Table:
    rows = [
        {
            "edit": f"removed, {r.kind}",
            "mark": "chosen" if r.kind == verdict.removed_by else "",
            "refusal rate": r.rate,
            "neutral ppl ×": r.perplexity,
        }
        for r in verdict.removals
    ]
    rows += [
        {"edit": f"added, × {times:g}", "mark": "chosen" if times == verdict.added else "", "refusal rate": rate}
        for times, rate in verdict.additions.items()
    ]
    caption = (
        "On dev: removed from harmful requests, added to harmless ones. Of the removals that work the one that costs "
        f"least was chosen; on other neutral text it costs × {verdict.perplexity:.3f}."
    )
    return Table(title="Ways to remove and to add", frame=pd.DataFrame(rows), caption=caption)


def _answer_table(verdict: Verdict) -> Table:
    rows: list[dict[str, object]] = []
    for kind, edit, rates in (("harmful", "removed", verdict.ablated), ("harmless", "added", verdict.induced)):
        for (request, clean, edited), before, after in zip(rates.answers, rates.clean, rates.edited, strict=True):
            row = {"requests": kind, "request": request, "clean": clean, "refused": bool(before)}
            rows.append(row | {"edit": edit, "edited": edited, "refused when edited": bool(after)})
    return Table(title="Every answer", frame=pd.DataFrame(rows), caption="Greedy, on test.")


def _notes(study: "SteeringStudy", found: "Measured", model: Model) -> Sequence[str]:
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

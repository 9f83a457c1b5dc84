"""Every number of a steering study, by its flat name and as a tidy row."""

from typing import TYPE_CHECKING

import numpy as np

from latentmech.report import Ledger
from latentmech.statistics import Estimate, bootstrap_mean
from latentmech.steering.doses import Doses
from latentmech.steering.necessity import Rates, Verdict

if TYPE_CHECKING:
    from latentmech.steering.study import SteeringStudy


def _at(strength: float) -> str:
    return f"@{strength:+.2f}"


def numbers(dose: Doses, ledger: Ledger) -> None:
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


def _null_numbers(dose: Doses, i: int, ledger: Ledger) -> None:
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


def verdict_numbers(study: "SteeringStudy", verdict: Verdict, ledger: Ledger) -> None:
    """Refusal rates and what they cost."""
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

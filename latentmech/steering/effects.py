"""From what every prompt did to what can be said of a dose: ends, slopes, equal KL, intervals over groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.statistics import Estimate, Lead, estimate, leads, mean_of, p_value
from latentmech.steering.damage import repetition
from latentmech.steering.nulls import EXCHANGED, RANDOM, TITLES
from latentmech.steering.sweep import Prompts, Response, SteeringSweep
from latentmech.steering.verdict import DoseEnd, SteeringVerdict, verdict


@dataclass(frozen=True)
class Span:
    """An end of a dose, what it is compared with, and which way it should go.

    Attributes:
        at: the strength.
        base: the strength that it is compared with; None for the untouched model.
        sense: 1 if the log-odds should be higher at `at`, -1 if lower.
    """

    at: float
    base: float | None
    sense: int

    def moved(self, found: Response) -> Float[np.ndarray, "direction prompt"]:
        """How far each direction moves each prompt in the right sense, in nats."""
        return self.sense * (found.at(self.at) - (0.0 if self.base is None else found.at(self.base)))


def spans(strengths: Sequence[float], neutral: float | None) -> list[Span]:
    """The ends of a dose: below and above the strength that leaves the model untouched; else from end to end."""
    low, high = min(strengths), max(strengths)
    if neutral is None:
        return [Span(high, low, 1)] if high > low else []
    return [Span(at, None, sense) for at, sense in ((low, -1), (high, 1)) if sense * (at - neutral) > 0]


def slopes(score: Float[np.ndarray, "strength prompt"], strengths: Sequence[float]) -> Prompts:
    """Least-squares slope of each prompt's log-odds over the strengths, in nats per unit; 0 for one strength."""
    centred = np.asarray(strengths) - np.mean(strengths)
    spread = (centred**2).sum()
    return (centred @ (score - score.mean(0))) / spread if spread > 0 else np.zeros(score.shape[1])


def at_equal_kl(own: Response, other: Response, one: int, end: Span, neutral: float) -> tuple[Prompts, Prompts]:
    """How far a direction and `one` of some others move each prompt at the largest KL that both reach towards an end.

    KL grows as the square of a short length, so it is its root that is interpolated between the strengths that were
    run, from the untouched model on. Where more strength has less KL, it counts as no more.
    """
    ways = []
    for found, place in ((own, 0), (other, one)):
        steps = sorted((s for s in found.strengths if (s - neutral) * end.sense > 0), key=lambda s: abs(s - neutral))
        places = [found.strengths.index(strength) for strength in steps]
        roots = np.concatenate([[0.0], np.sqrt(found.kl[place, places].mean(1).clip(min=0))])
        moved = np.vstack([np.zeros(found.change.shape[2]), end.sense * found.change[place, places]])
        ways.append((np.maximum.accumulate(roots), moved))
    root = min(roots[-1] for roots, _ in ways)
    mine, theirs = (np.array([np.interp(root, roots, values) for values in moved.T]) for roots, moved in ways)
    return mine, theirs


@dataclass(frozen=True, kw_only=True)
class Estimating:
    """Turns a sweep into estimates and a verdict.

    Attributes:
        neutral: the strength that leaves the model untouched, if there is one.
    """

    sweep: SteeringSweep
    clusters: Int[np.ndarray, " prompt"]
    neutral: float | None
    ends: Sequence[Span]
    draws: int

    def mean(self, values: Prompts, worst: float = -np.inf, top: float = np.inf) -> Estimate:
        """Of one number a prompt."""
        return estimate(mean_of(values, self.clusters, worst, top), self.draws)

    def of_doses(
        self, readings: Float[np.ndarray, " variant"], units: Sequence[Mapping[str, float]]
    ) -> dict[float, dict[str, Estimate]]:
        """Everything that is known of each strength, by name.

        Args:
            readings: of the answers, the untouched model's first.
            units: each strength in every unit.
        """
        sweep, found = self.sweep, {}
        kl, loss = sweep.cost.kl.double().numpy(), sweep.cost.log_loss.double().numpy()
        for i, strength in enumerate(sweep.own.strengths):
            single = {
                "neutral_perplexity": sweep.neutral[i + 1] / sweep.neutral[0],
                "own_perplexity": float(np.exp(loss[i].mean())),
                "repetition": repetition(sweep.answers[i + 1]),
                "reading": float(readings[i + 1]),
                **{f"strength_{unit}": value for unit, value in units[i].items()},
            }
            means = {"effect": sweep.own.change[0, i], "kl": kl[i], "next_kl": sweep.own.kl[0, i]}
            found[strength] = {name: self.mean(values) for name, values in means.items()}
            found[strength] |= {name: Estimate(value) for name, value in single.items()}
        return found

    def overall(self) -> dict[str, Estimate]:
        """Everything that is known of all strengths together, by name."""
        clean, slope = self.sweep.own.clean, self.slope()
        found = {"clean": self.mean(clean), "slope": self.mean(slope)}
        found["wrong_way"] = self.mean((slope < 0).astype(float), 0.0, 1.0)
        return found | {f"prompting/{kind}": self.mean(told - clean) for kind, told in self.sweep.prompting.items()}

    def slope(self) -> Prompts:
        """Of each prompt, in nats per unit; of a single strength, from the untouched model to it."""
        own = self.sweep.own
        if len(own.strengths) == 1 and self.ends:
            return self.ends[0].moved(own)[0] / abs(own.strengths[0] - (self.neutral or 0.0))
        return slopes(own.change[0], own.strengths)

    def exchanged(self) -> tuple[float, int] | None:
        """p-value of the effect from end to end against exchanged labels, and how many; None where there are none."""
        if EXCHANGED not in self.sweep.others:
            return None
        sides = (self.sweep.own, self.sweep.others[EXCHANGED])
        seen, null = (np.sum([end.moved(found).mean(1) for end in self.ends], axis=0) for found in sides)
        return p_value(float(seen[0]), null), len(null)

    def verdict(
        self, doses: Mapping[float, Mapping[str, Estimate]], exchanged: tuple[float, int] | None
    ) -> SteeringVerdict:
        """Whether the direction is shown to steer."""
        overall = self.overall()
        return verdict([self._end(end, doses) for end in self.ends], overall["slope"], overall["wrong_way"], exchanged)

    def _end(self, end: Span, doses: Mapping[float, Mapping[str, Estimate]]) -> DoseEnd:
        both = [doses[strength] for strength in (end.at, end.base) if strength is not None]
        own, others = self.sweep.own, self.sweep.others
        judged = {TITLES[name]: other for name, other in others.items() if name != EXCHANGED}
        pairs = {title: [(end.moved(own)[0], moved) for moved in end.moved(other)] for title, other in judged.items()}
        if RANDOM in others and self.neutral is not None:
            some = others[RANDOM]
            equal = [at_equal_kl(own, some, i, end, self.neutral) for i in range(len(some.change))]
            pairs[f"{TITLES[RANDOM]} at equal KL"] = equal
        return DoseEnd(
            name=f"at {end.at:+g}" if end.base is None else f"from {end.base:+g} to {end.at:+g}",
            sense=end.sense,
            effect=self.mean(end.sense * end.moved(own)[0]),
            kl=max(one["kl"].value for one in both),
            perplexity=max(one["neutral_perplexity"].value for one in both),
            rivals={name: self._ahead(some) for name, some in pairs.items()},
        )

    def _ahead(self, pairs: Sequence[tuple[Prompts, Prompts]]) -> list[Lead]:
        """Of each of some directions, prompt by prompt; the one that comes nearest first."""
        tallies = [(mean_of(own, self.clusters), mean_of(other, self.clusters)) for own, other in pairs]
        found = [leads(own, {f"{i}": other}, self.draws)[0] for i, (own, other) in enumerate(tallies)]
        return sorted(found, key=lambda lead: lead.difference.value)

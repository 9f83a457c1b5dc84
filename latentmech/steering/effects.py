"""From what every prompt did to what can be said of a dose: ends, slopes, equal KL, intervals over groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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
        base: the strength that it is compared with; None for the untouched model.
        sense: 1 if the log-odds should be higher at `at`, -1 if lower.
    """

    at: float
    base: float | None
    sense: int

    @property
    def strengths(self) -> tuple[float, ...]:
        """What it looks at."""
        return (self.at,) if self.base is None else (self.base, self.at)

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
class DoseResponse:
    """A sweep as estimates, with intervals over groups of prompts, and a verdict.

    Attributes:
        singles: what else is known of each strength, by name: `reading` and the strength in every unit.
        neutral: the strength that leaves the model untouched, if there is one.
        same_line: whether exchanged labels give the direction itself, one way round or the other, and so say nothing.
    """

    sweep: SteeringSweep
    clusters: Int[np.ndarray, " prompt"]
    singles: Sequence[Mapping[str, float]]
    neutral: float | None
    same_line: bool = False
    draws: int

    @property
    def strengths(self) -> tuple[float, ...]:
        """As they were asked for."""
        return self.sweep.own.strengths

    @property
    def spans(self) -> list[Span]:
        """What the verdict looks at."""
        return spans(self.strengths, self.neutral)

    @cached_property
    def doses(self) -> dict[float, dict[str, Estimate]]:
        """Everything that is known of each strength, by name: `effect`, `kl`, `neutral_perplexity` and others."""
        sweep, found = self.sweep, {}
        kl, loss = sweep.cost.kl.double().numpy(), sweep.cost.log_loss.double().numpy()
        for i, strength in enumerate(self.strengths):
            single = {
                "neutral_perplexity": sweep.neutral[i + 1] / sweep.neutral[0],
                "own_perplexity": float(np.exp(loss[i].mean())),
                "repetition": repetition(sweep.answers[i + 1]),
                **self.singles[i],
            }
            means = {"effect": sweep.own.change[0, i], "kl": kl[i], "next_kl": sweep.own.kl[0, i]}
            found[strength] = {name: self._mean(values) for name, values in means.items()}
            found[strength] |= {name: Estimate(value) for name, value in single.items()}
        return found

    @cached_property
    def overall(self) -> dict[str, Estimate]:
        """Of all strengths together: `clean`, `slope`, `wrong_way`, and what instructions did."""
        clean, wrong = self.sweep.own.clean, (self.slope < 0).astype(float)
        found = {"clean": self._mean(clean), "slope": self._mean(self.slope), "wrong_way": self._mean(wrong, 0.0, 1.0)}
        return found | {f"prompting/{kind}": self._mean(told - clean) for kind, told in self.sweep.prompting.items()}

    @property
    def slope(self) -> Prompts:
        """Of each prompt, in nats per unit; of a single strength, from the untouched model to it."""
        own = self.sweep.own
        if len(own.strengths) == 1 and self.spans:
            return self.spans[0].moved(own)[0] / abs(own.strengths[0] - (self.neutral or 0.0))
        return slopes(own.change[0], own.strengths)

    @property
    def exchanged(self) -> tuple[float, int] | None:
        """p-value against exchanged labels from end to end, and how many; None: there are none, or they say nothing."""
        if EXCHANGED not in self.sweep.others or self.same_line:
            return None
        sides = (self.sweep.own, self.sweep.others[EXCHANGED])
        seen, null = (np.sum([end.moved(found).mean(1) for end in self.spans], axis=0) for found in sides)
        return p_value(float(seen[0]), null), len(null)

    @cached_property
    def verdict(self) -> SteeringVerdict:
        """Whether the direction is shown to steer."""
        ends = [self._end(span) for span in self.spans]
        return verdict(ends, self.overall["slope"], self.overall["wrong_way"], self.exchanged)

    def of(self, name: str) -> list[Estimate]:
        """One estimate, from the lowest strength to the highest."""
        return [self.doses[strength][name] for strength in sorted(self.strengths)]

    def null(self, kind: str, strength: float) -> Float[np.ndarray, " direction"]:
        """Mean effect of each direction without meaning; none where the model is untouched and they were not run."""
        found = self.sweep.others[kind]
        return found.at(strength).mean(1) if strength in found.strengths else np.zeros(len(found.change))

    def null_kl(self, kind: str, strength: float) -> float:
        """Mean KL of the next token over all of them."""
        found = self.sweep.others[kind]
        return float(found.kl[:, found.strengths.index(strength)].mean())

    def title(self, kind: str) -> str:
        """How many directions without meaning, and what a reader calls them."""
        return f"{len(self.sweep.others[kind].change)} {TITLES[kind]}"

    def _mean(self, values: Prompts, worst: float = -np.inf, top: float = np.inf) -> Estimate:
        return estimate(mean_of(values, self.clusters, worst, top), self.draws)

    def _end(self, end: Span) -> DoseEnd:
        both = [self.doses[strength] for strength in end.strengths]
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
            effect=self._mean(end.sense * end.moved(own)[0]),
            kl=max(one["kl"].value for one in both),
            perplexity=max(one["neutral_perplexity"].value for one in both),
            rivals={name: self._ahead(some) for name, some in pairs.items()},
        )

    def _ahead(self, pairs: Sequence[tuple[Prompts, Prompts]]) -> list[Lead]:
        """Of each of some directions, prompt by prompt; the one that comes nearest first."""
        tallies = [[mean_of(values, self.clusters) for values in pair] for pair in pairs]
        found = [leads(own, {"other": other}, self.draws)[0] for own, other in tallies]
        return sorted(found, key=lambda lead: lead.difference.value)

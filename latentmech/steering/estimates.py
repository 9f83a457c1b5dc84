"""What a sweep comes to: means over prompts with intervals over their groups, and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from latentmech.statistics import Estimate, Lead, estimate, leads, mean_of, p_value
from latentmech.steering.damage import repetition
from latentmech.steering.effects import Prompts, Span, at_equal_kl, end_to_end, slopes
from latentmech.steering.nulls import EXCHANGED, RANDOM, TITLES
from latentmech.steering.sweep import Response, SteeringSweep
from latentmech.steering.verdict import DoseEnd, SteeringVerdict, verdict


@dataclass(frozen=True, kw_only=True)
class Estimating:
    """Turns the numbers of a sweep's prompts into estimates.

    Attributes:
        neutral: the strength that leaves the model untouched, if there is one.
        ends: of the dose.
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
            one = {"effect": self.mean(sweep.own.change[0, i]), "kl": self.mean(kl[i])}
            one |= {"next_kl": self.mean(sweep.own.kl[0, i])}
            single = {
                "neutral_perplexity": sweep.neutral[i + 1] / sweep.neutral[0],
                "own_perplexity": float(np.exp(loss[i].mean())),
                "repetition": repetition(sweep.answers[i + 1]),
                "reading": float(readings[i + 1]),
                **{f"strength_{unit}": value for unit, value in units[i].items()},
            }
            found[strength] = one | {name: Estimate(value) for name, value in single.items()}
        return found

    def overall(self) -> dict[str, Estimate]:
        """Everything that is known of all strengths together, by name."""
        told = {f"prompting/{kind}": self.mean(score - self.sweep.clean) for kind, score in self.sweep.prompting.items()}
        wrong = (self.slope() < 0).astype(float)
        slope = {"slope": self.mean(self.slope()), "wrong_way": self.mean(wrong, 0, 1)}
        return {"clean": self.mean(self.sweep.clean), **slope, **told}

    def slope(self) -> Prompts:
        """Of each prompt, in nats per unit; of a single strength, from the untouched model to it."""
        own = self.sweep.own
        if len(own.strengths) == 1 and self.ends:
            return self.ends[0].moved(own)[0] / abs(own.strengths[0] - (self.neutral or 0.0))
        return slopes(own.change[0], own.strengths)

    def exchanged(self) -> tuple[float, int] | None:
        """p-value of the effect from end to end against exchanged labels, and how many; None where there are none."""
        if EXCHANGED not in self.sweep.others or not self.ends:
            return None
        null = end_to_end(self.sweep.others[EXCHANGED], self.ends).mean(1)
        return p_value(float(end_to_end(self.sweep.own, self.ends).mean()), null), len(null)

    def verdict(self, doses: Mapping[float, Mapping[str, Estimate]], exchanged: tuple[float, int] | None) -> SteeringVerdict:
        """Whether the direction is shown to steer."""
        overall, ends = self.overall(), [self._end(end, doses) for end in self.ends]
        return verdict(ends, overall["slope"], overall["wrong_way"], exchanged)

    def _end(self, end: Span, doses: Mapping[float, Mapping[str, Estimate]]) -> DoseEnd:
        both = [doses[strength] for strength in (end.at, end.base) if strength is not None]
        return DoseEnd(
            name=end.name,
            sense=end.sense,
            effect=self.mean(end.sense * end.moved(self.sweep.own)[0]),
            kl=max(one["kl"].value for one in both),
            perplexity=max(one["neutral_perplexity"].value for one in both),
            rivals=self._rivals(end),
        )

    def _rivals(self, end: Span) -> dict[str, list[Lead]]:
        """How far the direction is ahead of each direction without meaning, by what these are."""
        own, others = self.sweep.own, self.sweep.others
        found = {
            TITLES[name]: self._ahead([(end.moved(own)[0], moved) for moved in end.moved(other)])
            for name, other in others.items()
            if name != EXCHANGED
        }
        if RANDOM in others and self.neutral is not None:
            n = len(others[RANDOM].change)
            pairs = [at_equal_kl(own, others[RANDOM], i, end, self.neutral) for i in range(n)]
            found[f"{TITLES[RANDOM]} at equal KL"] = self._ahead(pairs)
        return found

    def _ahead(self, pairs: Sequence[tuple[Prompts, Prompts]]) -> list[Lead]:
        """Of each of some directions, prompt by prompt; the one that comes nearest first."""
        tallies = [[mean_of(values, self.clusters) for values in pair] for pair in pairs]
        found = [leads(own, {f"{i}": other}, self.draws)[0] for i, (own, other) in enumerate(tallies)]
        return sorted(found, key=lambda lead: lead.difference.value)

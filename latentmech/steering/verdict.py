"""Does it steer?

An effect is none of this direction and this dose if it goes the wrong way at one end, does not grow with the strength,
is what any direction of that length does to a model, or is what is left of a model that no longer works. So a verdict
asks for all of this, and holds only if all of it does (Berger 1982):

    sign     at each end the interval of the effect lies on the side that the strength asks for
    nulls    at each end the paired difference to every direction without meaning is above 0, with its whole interval
    damage   KL and perplexity of a neutral text stay below what makes a model another one
    dose     the slope over the strengths is above 0, with its whole interval
    prompts  no more than `MOST_WRONG` of them move the wrong way
    labels   from end to end the effect is larger than under exchanged labels (a permutation test)

What it does not show: that the text means what the direction is named after. Read the completions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from latentmech.statistics import Estimate, Lead, beats, closest

MOST_WRONG = 0.25  # share of prompts
MOST_KL = 3.0  # nats per token: a token of its own text is e^3 = 20 times less likely on average
MOST_PERPLEXITY = 10.0  # times the untouched model's
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class DoseEnd:
    """One end of a dose: the change of the log-odds in nats, KL in nats per token, perplexity times the untouched one.

    Attributes:
        name: `at -0.5`, or `from -0.5 to +0.5` where no strength leaves the model untouched.
        sense: 1 where the log-odds should rise, -1 where they should fall.
        rivals: how far the direction is ahead, in that sense, of each direction without meaning, by what these are.
    """

    name: str
    sense: int
    effect: Estimate
    kl: float
    perplexity: float
    rivals: Mapping[str, Sequence[Lead]]


@dataclass(frozen=True)
class SteeringClaim:
    """One thing asked: whether it holds, the figures, and what a sentence says where it does not."""

    asked: str
    holds: bool
    seen: str
    failure: str


@dataclass(frozen=True)
class SteeringVerdict:
    """All that was asked, what it comes to, and how far directions without meaning come at each end."""

    claims: tuple[SteeringClaim, ...] = ()
    beaten: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the direction is shown to steer."""
        return bool(self.claims) and all(claim.holds for claim in self.claims)

    @property
    def said(self) -> str:
        """In a sentence."""
        if not self.claims:
            return "There is no dose to judge: no strength but that of the untouched model."
        if self.holds:
            most = f"at most {' and '.join(self.beaten)}, in that sense"
            return f"It rises with the strength, and is more than directions without meaning do ({most})."
        failures = dict.fromkeys(claim.failure for claim in self.claims if not claim.holds)
        return f"It is not shown to steer: {'; '.join(failures)}."


def verdict(
    ends: Sequence[DoseEnd], slope: Estimate, wrong_way: Estimate, exchanged: tuple[float, int] | None
) -> SteeringVerdict:
    """What can be said of a dose; of none, if nothing was done to the model.

    Args:
        slope: of the log-odds over the strengths, in nats per unit.
        wrong_way: share of prompts whose log-odds fall where they should rise.
        exchanged: p-value against exchanged labels, and how many; None where there were none.
    """
    if not ends:
        return SteeringVerdict()
    found = [claim for end in ends for claim in _of_an_end(end)]
    if not any(end.rivals for end in ends):
        nothing = "nothing without meaning stands beside it"
        found.append(SteeringClaim("more than directions without meaning", False, nothing, nothing))
    seen, way = f"{slope:+.2f} nats per unit", "fall" if slope.ci_high < 0 else "do not clearly rise"
    found.append(SteeringClaim("rises with the strength", slope.ci_low > 0, seen, f"the log-odds {way} with strength"))
    share = f"{wrong_way.value:.0%} of the prompts move the wrong way"
    found.append(SteeringClaim("few prompts move the wrong way", wrong_way.value <= MOST_WRONG, share, share))
    if exchanged is not None:
        p, n = exchanged
        seen = f"p = {p:.3f} over {n} exchanges"
        failure = f"{'too few' if n < 1 / ALPHA - 1 else 'as much comes of'} exchanged labels ({seen})"
        found.append(SteeringClaim("more than under exchanged labels", p <= ALPHA, seen, failure))
    most = {end.name: [lead.value for some in end.rivals.values() for lead in some] for end in ends}
    return SteeringVerdict(tuple(found), tuple(f"{max(seen):.2f} {name}" for name, seen in most.items() if seen))


def _of_an_end(end: DoseEnd) -> Iterator[SteeringClaim]:
    moved, up = end.sense * end.effect.value, end.sense > 0
    right = end.effect.ci_low > 0 if up else end.effect.ci_high < 0
    way = f"not clearly {'rise' if up else 'fall'}" if moved > 0 else f"{'fall' if up else 'rise'}, the wrong way,"
    failure = f"the log-odds {'do ' if moved > 0 else ''}{way} {end.name}"
    yield SteeringClaim(f"log-odds {'rise' if up else 'fall'} {end.name}", right, f"{end.effect:+.2f} nats", failure)
    near = {name: closest(leads) for name, leads in end.rivals.items()}
    worst = min(near, key=lambda name: near[name].difference.value, default="")
    for name, lead in near.items():
        own = lead.value + lead.difference.value
        seen = f"{own:.2f} against {lead.value:.2f}, difference {lead.difference:+.2f}"
        failure = f"{worst} {'do' if moved <= near[worst].value else 'may do'} as much {end.name}"
        failure += f" ({near[worst].value:.2f} nats in that sense)"
        yield SteeringClaim(f"more than {name} {end.name}", beats(end.rivals[name]), seen, failure)
    cost = f"KL {end.kl:.2f} nats, neutral perplexity × {end.perplexity:.2f}"
    small = end.kl <= MOST_KL and end.perplexity <= MOST_PERPLEXITY
    yield SteeringClaim(f"leaves a working model {end.name}", small, cost, f"the model is damaged {end.name} ({cost})")

"""Does it steer? Not how large an effect is, but whether it is one of this direction and of this dose.

An effect as large as any is no steering if it goes the wrong way at one end, if it does not grow with the strength, if
it is what any direction of that length does to a model, or what is left of a model that no longer works. So a verdict
asks, and holds only if all of it holds (an intersection-union test, Berger 1982):

    sign      at each end the interval lies on the side that the strength asks for
    dose      the slope over the strengths is above 0, with its whole interval
    prompts   no more than `MOST_WRONG` of them move the wrong way
    nulls     at each end the paired difference to every direction without meaning is above 0, with its whole interval
    labels    its effect from end to end is larger than under exchanged labels (a permutation test)
    damage    the KL and the perplexity of a neutral text stay below what makes a model another one

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
    """One end of a dose.

    Attributes:
        name: `at -0.5`, or `from -0.5 to +0.5` where no strength leaves the model untouched.
        sense: 1 where the log-odds should rise, -1 where they should fall.
        effect: change of the log-odds in nats.
        kl: nats per token.
        perplexity: of a neutral text, as a multiple of the untouched model's.
        rivals: how far the direction is ahead, in that sense, of each one of some without meaning.
    """

    name: str
    sense: int
    effect: Estimate
    kl: float
    perplexity: float
    rivals: Mapping[str, Sequence[Lead]]


@dataclass(frozen=True)
class SteeringClaim:
    """One thing asked.

    Attributes:
        asked: what should be.
        holds: whether it is.
        seen: the figures.
        failure: as part of a sentence.
    """

    asked: str
    holds: bool
    seen: str
    failure: str


@dataclass(frozen=True)
class SteeringVerdict:
    """All that was asked, and what it comes to."""

    claims: tuple[SteeringClaim, ...]
    rivals: tuple[str, ...]

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
            return (
                f"That is more than {' and than '.join(self.rivals)} do, at every end of the dose, it rises with the "
                "strength, and few prompts move the wrong way."
            )
        failures = dict.fromkeys(claim.failure for claim in self.claims if not claim.holds)
        return f"It is not shown to steer: {'; '.join(failures)}."


def verdict(
    ends: Sequence[DoseEnd], slope: Estimate, wrong_way: Estimate, exchanged: tuple[float, int] | None
) -> SteeringVerdict:
    """What can be said of a dose.

    Args:
        ends: where the strengths end; none if nothing was done to the model.
        slope: of the log-odds over the strengths, in nats per unit.
        wrong_way: share of prompts whose log-odds fall where they should rise.
        exchanged: p-value against exchanged labels, and how many exchanges; None where there were none.
    """
    if not ends:
        return SteeringVerdict((), ())
    found = [claim for end in ends for claim in _of_an_end(end)]
    seen = f"{slope:+.2f} nats per unit"
    way = "fall with" if slope.ci_high < 0 else "do not clearly rise with"
    found.append(SteeringClaim("rises with it", slope.ci_low > 0, seen, f"the log-odds {way} the strength ({seen})"))
    share = f"{wrong_way.value:.0%} of the prompts move the wrong way"
    found.append(SteeringClaim("few prompts move the wrong way", wrong_way.value <= MOST_WRONG, share, share))
    if not any(end.rivals for end in ends):
        nothing = "nothing random stands beside it"
        found.append(SteeringClaim("is compared with directions without meaning", False, nothing, nothing))
    if exchanged is not None:
        p, n = exchanged
        seen = f"p = {p:.3f} over {n} exchanges"
        failure = f"exchanged labels do as much ({seen})" if n >= 1 / ALPHA - 1 else f"too few exchanges ({seen})"
        found.append(SteeringClaim("more than under exchanged labels", p <= ALPHA, seen, failure))
    return SteeringVerdict(tuple(found), tuple(dict.fromkeys(name for end in ends for name in end.rivals)))


def _of_an_end(end: DoseEnd) -> Iterator[SteeringClaim]:
    way = "rise" if end.sense > 0 else "fall"
    right = end.effect.ci_low > 0 if end.sense > 0 else end.effect.ci_high < 0
    moved = f"{end.effect:+.2f} nats"
    how = "do not clearly" if end.sense * end.effect.value > 0 else "do not"
    yield SteeringClaim(f"log-odds {way} {end.name}", right, moved, f"the log-odds {how} {way} {end.name} ({moved})")
    for name, leads in end.rivals.items():
        near = closest(leads)
        beside = f"{near.value + near.difference.value:.2f} against {near.value:.2f}"
        do = "do" if near.difference.value <= 0 else "may do"
        failure = f"{name} {do} as much {end.name} ({beside})"
        seen = f"{beside}, difference {near.difference:+.2f}"
        yield SteeringClaim(f"more than {name} {end.name}", beats(leads), seen, failure)
    cost = f"KL {end.kl:.2f} nats, neutral perplexity × {end.perplexity:.2f}"
    small = end.kl <= MOST_KL and end.perplexity <= MOST_PERPLEXITY
    yield SteeringClaim(f"leaves a working model {end.name}", small, cost, f"the model is damaged {end.name} ({cost})")

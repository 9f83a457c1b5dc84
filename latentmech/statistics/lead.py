"""The one rule for "beats": ahead of every rival that lacks the information, by a paired interval above 0.

All rivals have to be beaten, so their number makes a false claim rarer and not more likely (an intersection-union
test, Berger 1982): no correction is needed within one claim. Several claims, such as "N of M tasks", are corrected
among each other by `holm` (Holm 1979, "A simple sequentially rejective multiple test procedure").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from latentmech.statistics.estimates import Estimate
from latentmech.statistics.interval import difference, low_p
from latentmech.statistics.tally import Tally


@dataclass(frozen=True)
class Lead:
    """How far an answerer is ahead of one rival on the same rows.

    Attributes:
        rival: what a reader calls it.
        difference: own score minus the rival's, paired.
        p: one-sided p-value that there is none.
    """

    rival: str
    value: float
    difference: Estimate
    p: float

    @property
    def clear(self) -> bool:
        """Whether the whole interval lies above 0; never without one."""
        return self.difference.ci_low > 0

    @property
    def behind(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.difference.ci_high < 0


def leads(own: Tally, rivals: Mapping[str, Tally], draws: int = 1000, seed: int = 0) -> list[Lead]:
    """Ahead of each rival, or not; the strongest rival first."""
    found = [Lead(name, r.value, difference(own, r, draws, seed), low_p(own, r)) for name, r in rivals.items()]
    return sorted(found, key=lambda lead: -lead.value)


def beats(found: Sequence[Lead]) -> bool:
    """Whether all rivals are beaten; never where there is none."""
    return bool(found) and all(lead.clear for lead in found)


def closest(found: Sequence[Lead]) -> Lead:
    """The rival that comes nearest; of several that are not beaten, the strongest."""
    return next((lead for lead in found if not lead.clear), found[0])


def verdict(found: Sequence[Lead]) -> str:
    """The rule in words: `beats ...`, or `is not shown to beat ...` with every rival that stands in the way."""
    if not found:
        return "has nothing beside it to beat"
    if not any(lead.difference.kind for lead in found):
        return "cannot be shown to beat anything: no difference has an interval over so few groups"
    if beats(found):
        first, rest = found[0], len(found) - 1
        others = f" and the {rest} weaker rivals" if rest > 1 else " and the weaker rival" if rest else ""
        return f"beats the strongest rival ({_said(first)}){others}"
    unbeaten = [lead for lead in found if not lead.clear]
    return f"is not shown to beat {'; '.join(_said(lead) for lead in unbeaten)}"


def _said(lead: Lead) -> str:
    where = "no interval over so few groups" if not lead.difference.kind else f"difference {lead.difference:+.3f}"
    return f"{lead.rival} {lead.value:.3f}, {where}"


def holm(p: Sequence[float], alpha: float = 0.025) -> Bool[np.ndarray, " claim"]:
    """Which of several one-sided claims still stand when all are made at once."""
    values: Float[np.ndarray, " claim"] = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    stands = np.zeros(len(values), dtype=bool)
    stands[order] = np.logical_and.accumulate(values[order] <= alpha / np.arange(len(values), 0, -1))
    return stands

"""What a lens study has found: who -> metric -> an estimate for every level, and who tells the next token better."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from latentmech.data import Examples
from latentmech.geometry.lens.next_token import LensReadings, TokenPlaces
from latentmech.model import Level
from latentmech.statistics import Estimate, Lead, beats

PLACES = {"model": ("", None), "cosine": ("cosine/", None), "random_token": ("cosine/random/", "random_token")}


@dataclass(frozen=True, kw_only=True, eq=False)
class LensFindings:
    """Everything that was read.

    Attributes:
        by_who: what is read of the `model`, with the right tokens of other places (`shuffled`), and of the twin
            (`random_init`); then cosines of states with rows of tokens (`cosine`) and with those of tokens of other
            places (`random_token`).
        median_rank: tokens that are held likelier than the right one, in the median, level by level.
        unigram: what token frequencies give, by metric.
        leads: by the log-probability of the right token, against everybody who does not read the text; by level.
        drawn: the places of the one text of the picture.
        n: places over which means are taken.
    """

    texts: Examples
    levels: tuple[Level, ...]
    by_who: Mapping[str, Mapping[str, Sequence[Estimate]]]
    median_rank: Sequence[float]
    unigram: Mapping[str, Estimate]
    leads: Sequence[Sequence[Lead]]
    text: str
    drawn: TokenPlaces
    drawn_readings: LensReadings
    vocab: int
    n: int

    def of(self, metric: str, who: str = "model") -> Sequence[Estimate]:
        """One metric, level by level."""
        return self.by_who[who][metric]

    def rows(self) -> Iterator[tuple[str, str | None, Level | None, str, Estimate]]:
        """Every number: flat name below `geometry/lens`, control, level, metric."""
        for who, by_metric in self.by_who.items():
            above, control = PLACES.get(who, (f"{who}/", who))
            for metric, estimates in by_metric.items():
                for level, value in zip(self.levels, estimates, strict=True):
                    yield f"{above}{level.label}/{metric}", control, level, metric, value
        for metric, value in self.unigram.items():
            yield f"unigram/{metric}", "unigram", None, metric, value

    @property
    def better_from(self) -> int:
        """The first level from which on all rivals are beaten; the number of levels if they are not at the last."""
        return _from_on([beats(found) for found in self.leads])

    @property
    def settled_from(self) -> int:
        """The first level from which on at least half of the final top tokens are on top."""
        return _from_on([estimate.value >= 0.5 for estimate in self.of("agreement")])

    def settled(self) -> list[Level]:
        """For every place of the text of the picture, the level from which on the last one's top token is on top."""
        same = self.drawn_readings.top == self.drawn_readings.top[-1]
        return [self.levels[_from_on(column.tolist())] for column in same.T]


def _from_on(holds: Sequence[bool]) -> int:
    """The first level from which on something holds at every level; their number if it does not at the last."""
    return next((i + 1 for i in reversed(range(len(holds))) if not holds[i]), 0)

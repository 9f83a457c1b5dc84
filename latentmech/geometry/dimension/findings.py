"""What a dimension study has estimated: who -> per level -> estimates, and what is asked of them everywhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from latentmech.data import Examples
from latentmech.geometry.dimension.estimates import at_share
from latentmech.geometry.dimension.settings import DimensionSettings
from latentmech.model import Level
from latentmech.statistics import Estimate

CONTROLS = {
    "coordinates_shuffled": "coordinates shuffled",
    "words_shuffled": "words shuffled",
    "random_init": "random init",
}


@dataclass(frozen=True, kw_only=True)
class DimensionFindings:
    """Estimates by who has the states (`model` or one of `CONTROLS`), level by level; shares and scales ascend."""

    settings: DimensionSettings
    examples: Examples
    levels: Sequence[Level]
    by_who: Mapping[str, Sequence[Mapping[str, Estimate]]]

    @property
    def unit(self) -> str:
        """What the rows are."""
        return "texts" if self.examples.spans is None else "words"

    @property
    def mle(self) -> str:
        """The MLE at the middle one of the scales, which stands for all where there is room for one."""
        return f"mle_k{self.settings.scales[len(self.settings.scales) // 2]}"

    @property
    def controls(self) -> dict[str, str]:
        """Those that were measured, and how a reader knows them."""
        return {who: title for who, title in CONTROLS.items() if who in self.by_who}

    def of(self, name: str, who: str = "model", share: float = 1.0) -> list[Estimate]:
        """One estimate, level by level; from a part of the draw, if it is asked for."""
        return [scores[at_share(name, share)] for scores in self.by_who[who]]

    def near_copies(self) -> list[tuple[Level, float]]:
        """Levels at which some draw's TwoNN is below 2, or below half of the MLE, and that TwoNN."""
        rows = zip(self.levels, self.of("two_nn"), self.of(self.mle), strict=True)
        return [(level, two_nn.ci_low) for level, two_nn, mle in rows if two_nn.ci_low < max(2, mle.value / 2)]

    def rows(self) -> Iterator[tuple[str, Level, str, Estimate]]:
        """Every number: who, where, what."""
        for who, per_level in self.by_who.items():
            for level, scores in zip(self.levels, per_level, strict=True):
                yield from ((who, level, name, estimate) for name, estimate in scores.items())

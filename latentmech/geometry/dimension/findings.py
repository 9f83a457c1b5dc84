"""What a dimension study has estimated: who -> per level -> estimates, and what is asked of them everywhere."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from latentmech.data import Examples
from latentmech.statistics import Estimate

if TYPE_CHECKING:
    from latentmech.geometry.dimension.study import DimensionStudy

Found = Mapping[str, Sequence[Mapping[str, Estimate]]]  # who -> per level -> estimates
CONTROLS = {
    "coordinates_shuffled": "coordinates shuffled",
    "words_shuffled": "words shuffled",
    "random_init": "random init",
}


def unit_of(examples: Examples) -> str:
    """What the rows are."""
    return "texts" if examples.spans is None else "words"


def middle_mle(study: "DimensionStudy") -> str:
    """The MLE at the middle one of the scales, which stands for all where there is room for one."""
    return f"mle_k{sorted(study.scales)[len(study.scales) // 2]}"


def values_of(scores: Sequence[Mapping[str, Estimate]], name: str) -> list[float]:
    """One estimate, level by level."""
    return [score[name].value for score in scores]


def range_of(scores: Sequence[Mapping[str, Estimate]], name: str) -> tuple[list[float], list[float]]:
    """Its smallest and largest draws, level by level."""
    return [score[name].ci_low for score in scores], [score[name].ci_high for score in scores]

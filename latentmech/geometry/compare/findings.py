"""What a comparison found: model by model, level by level, every number once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latentmech.data import Examples
from latentmech.geometry.compare.drift import DirectionDrift, ProbeDrift
from latentmech.geometry.compare.effect import DirectionEffect
from latentmech.geometry.compare.formulas import procrustes_distance
from latentmech.geometry.compare.measures import Similarity
from latentmech.geometry.compare.settings import CompareSettings
from latentmech.geometry.compare.sides import CommonWords
from latentmech.model import Level
from latentmech.statistics import Estimate

TITLES = {"cka": "CKA", "knn": "mutual kNN", "procrustes": "Procrustes", "subspace": "subspace"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Against:
    """The first model against one other; by level of the first.

    Attributes:
        matched: the other's level that stands for each.
        drifts: of the direction, where both have one.
        effects: of adding it, where that was done.
        probed: where the first model's probe can be read out in the other.
        cka: every level of the first (row) against every level of the other (column).
        same: both have the same weights.
    """

    name: str
    matched: Mapping[Level, Level]
    alike: Mapping[Level, Similarity]
    drifts: Mapping[Level, DirectionDrift]
    effects: Mapping[Level, DirectionEffect]
    probed: Mapping[Level, ProbeDrift]
    other_levels: Sequence[Level]
    cka: Float[Tensor, "level other"]
    same: bool

    def numbers(self) -> Iterator[tuple[Level, str, str, str | None, Estimate | float]]:
        """Level, flat name below the level's, metric, null model, value."""
        for level, alike in self.alike.items():
            for name, value in alike.own.items():
                yield level, name, name, None, value
            for name, value in alike.chance.items():
                null = "random_subspace" if name == "subspace" else "shuffled"
                yield level, f"{null}/{name}", name, null, value
            apart = procrustes_distance(alike.own["procrustes"].value)
            yield level, "procrustes_distance", "procrustes_distance", None, apart
        for what, by_level in {"direction": self.drifts, "effect": self.effects, "probe": self.probed}.items():
            for level, found in by_level.items():
                for name, value in vars(found).items():
                    yield level, f"{what}/{name}", f"{what}_{name}", None, value

    @property
    def clear(self) -> list[DirectionEffect]:
        """Effects that are larger than those of all random vectors."""
        return [effect for effect in self.effects.values() if effect.clear]

    @property
    def chosen(self) -> tuple[Level, DirectionEffect]:
        """Where the refitted direction does most on other prompts than those that give the numbers."""
        return max(self.effects.items(), key=lambda pair: abs(pair[1].dev))

    def of(self, measure: str) -> list[Estimate]:
        """A measure at the levels that have it."""
        return [alike.own[measure] for alike in self.alike.values() if measure in alike.own]

    def mean(self, measure: str) -> float:
        """Its mean over these; NaN if none has it."""
        return float(np.mean([one.value for one in self.of(measure)])) if self.of(measure) else float("nan")

    @property
    def cosine(self) -> float:
        """Mean over levels of the direction's cosine; NaN without directions."""
        known = [drift.cosine for drift in self.drifts.values() if np.isfinite(drift.cosine)]
        return float(np.mean(known)) if known else float("nan")

    def probe_mean(self, which: str) -> float:
        """Mean over levels of the accuracy of `frozen` or `refitted` probes."""
        return float(np.mean([getattr(probed, which).value for probed in self.probed.values()]))


@dataclass(frozen=True, kw_only=True, eq=False)
class CompareFindings:
    """All of it.

    Attributes:
        others: the model against each other one, in the order in which they were given.
        twin: against its random-init twin, if that was asked for.
        warnings: what a reader must know about prompts and a saved direction.
    """

    settings: CompareSettings
    examples: Examples
    words: CommonWords
    others: Sequence[Against]
    twin: Against | None
    warnings: Sequence[str]

    @property
    def every(self) -> Sequence[Against]:
        """The others, then the twin."""
        return [*self.others, *([self.twin] if self.twin else [])]

    @property
    def several(self) -> bool:
        """Whether results have to be told apart by the other model's name."""
        return len(self.others) > 1

    def below(self, other: Against) -> str:
        """What stands in a flat name before the levels of one comparison."""
        named = "/random_init" if other is self.twin else f"/{other.name}" if self.several else ""
        return f"geometry/compare{named}"

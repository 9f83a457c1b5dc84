"""Two models side by side: the same words, level by level, and every level against every other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.geometry.compare import cka
from latentmech.geometry.compare.drift import Drift, drift
from latentmech.geometry.compare.effect import Effect, effect
from latentmech.geometry.compare.measures import Comparison, Similarity
from latentmech.geometry.compare.probes import Probed, probed, right
from latentmech.geometry.compare.sides import Side, counterparts
from latentmech.model import Level
from latentmech.probe.problem import Problem


@dataclass(frozen=True)
class AtLevel:
    """A level of the first model and its counterpart."""

    level: Level
    other: Level
    alike: Similarity
    drift: Drift | None
    effect: Effect | None
    probed: Probed | None


@dataclass(frozen=True)
class Against:
    """The first model against one other.

    Attributes:
        cka: every level of the first (row) against every level of the other (column).
        same: both have the same weights.
    """

    name: str
    levels: tuple[AtLevel, ...]
    other_levels: tuple[Level, ...]
    cka: Float[Tensor, "level other"]
    same: bool

    @property
    def drifts(self) -> list[tuple[AtLevel, Drift]]:
        """Levels at which both have a direction."""
        return [(at, at.drift) for at in self.levels if at.drift is not None]

    @property
    def probed(self) -> list[tuple[AtLevel, Probed]]:
        """Levels at which the first model's probe can be read out in the other."""
        return [(at, at.probed) for at in self.levels if at.probed is not None]

    @property
    def effects(self) -> list[tuple[AtLevel, Effect]]:
        """Levels at which directions were added."""
        return [(at, at.effect) for at in self.levels if at.effect is not None]

    def mean(self, measure: str) -> float:
        """Mean of a measure over the levels that have it; NaN if none has."""
        values = [at.alike.own[measure].value for at in self.levels if measure in at.alike.own]
        return float(np.mean(values)) if values else float("nan")


def against(
    a: Side,
    b: Side,
    comparison: Comparison,
    problem: Problem | None,
    groups: Sequence[str],
    draws: int,
    seed: int,
    progress: Callable[[int], object],
) -> Against:
    """Everything that is measured between two models.

    Args:
        problem: the words' labels that probes tell, if they were trained.
        groups: of the prompts by which steered models are scored.
    """
    found = []
    for level, other in counterparts(a.levels, b.levels):
        alike, moved = comparison(a.states(level), b.states(other)), _drift(a, level, b, other, draws, seed)
        done = _effect(a, level, b, other, groups, draws, seed)
        read = None if problem is None else _probed(problem, a, level, b, other, draws, seed)
        found.append(AtLevel(level, other, alike, moved, done, read))
        progress(1)
    same = a.model.fingerprint == b.model.fingerprint
    return Against(b.model.name, tuple(found), b.levels, _every_pair(a, b), same)


def _drift(a: Side, level: Level, b: Side, other: Level, draws: int, seed: int) -> Drift | None:
    if a.classes is None or b.classes is None or a.model.d_model != b.model.d_model:
        return None
    return drift(a.classes, level, b.classes, other, draws, seed) if level.hook_name in a.classes.found else None


def _effect(
    a: Side, level: Level, b: Side, other: Level, groups: Sequence[str], draws: int, seed: int
) -> Effect | None:
    if level not in a.changes or level not in b.changes:
        return None
    assert a.classes is not None
    assert b.classes is not None
    own, again = a.classes.found[level.hook_name].norm(), b.classes.found[other.hook_name].norm()
    return effect(a.changes[level][0], b.changes[level], float(own / again), groups, draws, seed)


def _probed(problem: Problem, a: Side, level: Level, b: Side, other: Level, draws: int, seed: int) -> Probed | None:
    if a.model.d_model != b.model.d_model:
        return None
    source = right(problem, a.activations, level, a.probes[level])
    frozen, refitted = (right(problem, b.activations, other, p) for p in (a.probes[level], b.probes[other]))
    return probed(problem, source, frozen, refitted, draws, seed)


def _every_pair(a: Side, b: Side) -> Float[Tensor, "level other"]:
    """Debiased CKA of all pairs of levels, in single precision."""
    ours = torch.stack([_direction(a.states(level)) for level in a.levels])
    return torch.stack([ours @ _direction(b.states(level)) for level in b.levels], dim=1)


def _direction(rows: Float[Tensor, "row d_model"]) -> Float[Tensor, " entry"]:
    """The U-centred Gram matrix as a unit vector: CKA is the cosine of two of these."""
    kernel = cka.u_centred(cka.gram(rows))
    return (kernel / kernel.norm().clamp(min=torch.finfo(kernel.dtype).tiny)).float().flatten()

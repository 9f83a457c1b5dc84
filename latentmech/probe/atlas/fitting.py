"""Every task of one collection at every level: a level is read once, and tasks on the same rows share its spectrum."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Int

from latentmech.activations import Activations
from latentmech.model import Level
from latentmech.probe.atlas.subject import Subject
from latentmech.probe.fitting import Fitting, LevelFit
from latentmech.probe.methods import FitMethod
from latentmech.probe.sample import side_by_side
from latentmech.statistics import Tally

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)
Labellings = Sequence[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Fitted:
    """One subject's probes.

    Attributes:
        activations: what they read.
        levels: what was learned at each level.
        labellings: name and labels of the controls that were fitted beside it.
    """

    subject: Subject
    activations: Activations
    levels: Sequence[LevelFit]
    labellings: Labellings = ()

    @cached_property
    def dev(self) -> list[Tally]:
        """The score of every level."""
        return [self.subject.tally("dev", fit.dev_predicted) for fit in self.levels]

    @cached_property
    def best(self) -> int:
        """The level with the highest score on dev; the lower one of two equals."""
        return best_of(self.dev)

    def on_test(self, level: int) -> list[Int[np.ndarray, " part"]]:
        """Answers of a level's probe, then of its controls."""
        fit = self.levels[level]
        return self.subject.answers(self.activations, [fit.probe, *fit.controls])

    def controls_on_dev(self) -> dict[str, list[float]]:
        """Accuracy of each kind of control at every level, a mean over its seeds."""
        names = [name for name, _ in self.labellings]
        scores = np.array([fit.control_dev for fit in self.levels])
        return {one: scores[:, [name == one for name in names]].mean(1).tolist() for one in dict.fromkeys(names)}


def best_of(scores: Sequence[Tally]) -> int:
    """The highest; the first of two equals."""
    return int(np.argmax([score.value for score in scores]))


def fit_all(
    activations: Activations,
    subjects: Sequence[Subject],
    levels: Sequence[Level],
    method: FitMethod,
    labellings: Sequence[Labellings],
) -> list[Fitted]:
    """Fit all subjects, which read the same activations.

    Args:
        labellings: for each subject, the controls to fit beside it.
    """
    fittings = [
        Fitting(method=method, problem=s.problem, controls=[labels for _, labels in controls], metric=s.metric)
        for s, controls in zip(subjects, labellings, strict=True)
    ]
    shelves = grouped(range(len(subjects)), lambda i: subjects[i].reads).values()

    def one_level(level: Level) -> dict[int, LevelFit]:
        rows = activations.level(level.hook_name)
        found: dict[int, LevelFit] = {}
        for shelf in shelves:
            first = subjects[shelf[0]]
            sample = first.problem.sample(first.features(rows))
            found |= {i: fittings[i].on(sample, level) for i in shelf}
        return found

    by_level = side_by_side(one_level, levels)
    return [Fitted(s, activations, [fits[i] for fits in by_level], labellings[i]) for i, s in enumerate(subjects)]


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items with the same key, together; in order of the first of each."""
    found: dict[Key, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found

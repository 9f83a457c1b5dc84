"""Train on one data set, test on each other: does a probe read the property, or this set's way of showing it?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from latentmech.activations import Activations
from latentmech.probe.atlas.fitting import Fitted
from latentmech.probe.atlas.resampling import resampled
from latentmech.probe.atlas.subject import Subject
from latentmech.probe.scores import logits_on_test
from latentmech.statistics import Estimate

OTHER = -1  # a class that the tested set does not have


@dataclass(frozen=True)
class Trained:
    """A subject's probes, the activations that they read, and the level that dev chose."""

    fitted: Fitted
    activations: Activations
    best: int

    @property
    def subject(self) -> Subject:
        """What it was trained on."""
        return self.fitted.subject


@dataclass(frozen=True)
class Matrix:
    """Test accuracy of every set's probe (row) on every set (column), each probe at its own level.

    Attributes:
        task: the task, with its pairing.
        names: the data sets.
        cells: accuracy, with its interval over the tested set's documents.
        majority: what the commonest class of each column's train part scores on it.
        notes: where a probe has been trained on texts that it is tested on.
    """

    task: str
    names: Sequence[str]
    cells: Sequence[Sequence[Estimate]]
    majority: Sequence[float]
    notes: Sequence[str] = ()

    @property
    def values(self) -> Float[np.ndarray, "trained tested"]:
        """The accuracies alone."""
        return np.array([[cell.value for cell in row] for row in self.cells])


def matrices(trained: Sequence[Trained], n_draws: int) -> list[Matrix]:
    """One for each task that has several data sets."""
    by_task: dict[str, list[Trained]] = {}
    for one in trained:
        by_task.setdefault(one.subject.name.partition("@")[0], []).append(one)
    return [_matrix(task, sets, n_draws) for task, sets in by_task.items() if len(sets) > 1]


def _matrix(task: str, sets: Sequence[Trained], n_draws: int) -> Matrix:
    names = [one.subject.data or "own" for one in sets]
    cells = [[_cell(source, target, n_draws) for target in sets] for source in sets]
    return Matrix(task, names, cells, [_majority(one.subject) for one in sets], list(_known(task, sets, names)))


def _known(task: str, sets: Sequence[Trained], names: Sequence[str]) -> Iterator[str]:
    """Test texts of one set that another was trained on."""
    for (i, source), (j, target) in product(enumerate(sets), enumerate(sets)):
        seen, asked = set(_texts(source.subject, "train")), _texts(target.subject, "test")
        if i != j and (n := sum(text in seen for text in asked)):
            yield f"{task}: {n} of {len(asked)} test texts of {names[j]} are training texts of {names[i]}."


def _texts(subject: Subject, split: str) -> list[str]:
    units = subject.problem.units.example[subject.problem.index[split]]
    return [subject.examples.texts[i] for i in units.tolist()]


def _cell(source: Trained, target: Trained, n_draws: int) -> Estimate:
    problem = target.subject.problem
    answers = _answers(source, target)
    labels, clusters = problem.of("test", problem.labels), problem.clusters("test")
    return resampled([answers], labels, clusters, "accuracy", n_draws).estimate(0)


def _answers(source: Trained, target: Trained) -> Int[np.ndarray, " part"]:
    """The source's answers on the target's test part, as class numbers of the target."""
    probe = source.fitted.levels[source.best].probe
    known = None
    if source.subject.pairing is not None:
        known = source.subject.known(source.activations.level(probe.hook_name))
    features = target.subject.features(target.activations.level(probe.hook_name), known)
    logits = logits_on_test(target.subject.problem, features, probe)
    number = {name: i for i, name in enumerate(target.subject.problem.classes)}
    return np.array([number.get(name, OTHER) for name in probe.classes], dtype=np.int64)[logits.argmax(1)]


def _majority(subject: Subject) -> float:
    answers = subject.surface("test")["majority"]
    return float((answers == subject.problem.of("test", subject.problem.labels)).mean())

"""Train on one data set, test on each other: does a probe read the property, or this set's way of showing it?"""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from latentmech.probe.atlas.fitting import Fitted
from latentmech.probe.atlas.subject import Subject
from latentmech.statistics import Tally

OTHER = -1  # a class that the tested set does not have


def transferred(source: Fitted, target: Fitted) -> Tally:
    """The test score of the source's probe, from the level that its own dev chose, on the target."""
    probe, trained, tested = source.levels[source.best].probe, source.subject, target.subject
    known = None if trained.pairing is None else trained.known(source.activations.level(probe.hook_name))
    (answers,) = tested.answers(target.activations, [probe], known)
    number = {name: i for i, name in enumerate(tested.problem.classes)}
    return tested.tally("test", np.array([number.get(name, OTHER) for name in probe.classes])[answers])


def known_texts(sets: Sequence[Subject]) -> Iterator[str]:
    """Sentences on test texts of one set that another was trained on."""
    for source, target in permutations(sets, 2):
        seen, asked = set(_texts(source, "train")), _texts(target, "test")
        if n := sum(text in seen for text in asked):
            theirs, own = target.data or "own", source.data or "own"
            yield f"{source.kind}: {n} of {len(asked)} test texts of {theirs} are training texts of {own}."


def _texts(subject: Subject, split: str) -> list[str]:
    units = subject.problem.units.example[subject.problem.index[split]]
    return [subject.examples.texts[i] for i in units.tolist()]

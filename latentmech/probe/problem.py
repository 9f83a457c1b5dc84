"""`Problem`: a task on a corpus as arrays, with the labellings that mean nothing.

What a probe scores on such labels it owes to itself, not to the model.

control task      every word type gets one class at random, in the proportions of the task, wherever the word stands
                  (Hewitt & Liang 2019, "Designing and interpreting probes with control tasks"). A probe can only learn
                  it by heart; the task's accuracy minus this one's is its selectivity
shuffled labels   the task's own labels, exchanged among what was labelled: documents, if all rows of each have one
                  label, else rows; in train, dev and test together, as a permutation test asks for. Were the labels of
                  test left as they are, a probe that happens to fall on the main axis of the data would read them
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from latentmech.data import WHOLE_TEXT, Examples, UnitTable
from latentmech.statistics import clusters_of

SPLITS = ("train", "dev", "test")
TRIES = 200  # exchanges until one leaves train with every class


@dataclass(frozen=True)
class Problem:
    """What is to be predicted, from which rows of the activations.

    Attributes:
        units: the labelled words (or texts).
        classes: label names, in the order of their numbers; the positive class last if the task is binary.
        rows: each unit's row in the activations.
        seed: orders the training documents.
    """

    units: UnitTable
    classes: tuple[str, ...]
    rows: Int[np.ndarray, " unit"]
    seed: int = 0

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def unit(self) -> str:
        """What is labelled: a `word` or a `text`."""
        return "text" if len(self.units) and self.units.word[0] == WHOLE_TEXT else "word"

    @cached_property
    def labels(self) -> Int[np.ndarray, " unit"]:
        """Class numbers."""
        number = {name: i for i, name in enumerate(self.classes)}
        return np.array([number[label] for label in self.units.label.tolist()], dtype=np.int64)

    @cached_property
    def index(self) -> dict[str, Int[np.ndarray, " part"]]:
        """Unit numbers of each split; train in seeded order of documents, as the online code needs it."""
        parts = {split: np.flatnonzero(self.units.split == split) for split in SPLITS}
        train = parts["train"]
        order = np.random.default_rng(self.seed).permutation(int(self.units.group.max()) + 1)
        return parts | {"train": train[np.argsort(order[self.units.group[train]], kind="stable")]}

    def activation_rows(self, split: str) -> Int[Tensor, " part"]:
        """Rows of the activations that belong to a split."""
        return torch.from_numpy(self.rows[self.index[split]])

    def of(self, split: str, values: np.ndarray) -> np.ndarray:
        """The entries of a per-unit array that belong to a split."""
        return values[self.index[split]]

    def clusters(self, split: str) -> Int[np.ndarray, " part"]:
        """Documents of a split, numbered from 0."""
        return self._clusters[split]

    @cached_property
    def _clusters(self) -> dict[str, Int[np.ndarray, " part"]]:
        return {split: clusters_of(self.of(split, self.units.group)) for split in SPLITS}

    def control_labels(self, seed: int) -> Int[np.ndarray, " unit"]:
        """A label for every unit from the control task with this seed."""
        return control_task(self.of("train", self.labels), self.units.form.tolist(), self.n_classes, seed)

    @cached_property
    def by_document(self) -> bool:
        """Whether documents were labelled, and not their words or texts one by one."""
        first = np.zeros(int(self.units.group.max()) + 1, dtype=np.int64)
        first[self.units.group] = self.labels
        return bool((first[self.units.group] == self.labels).all())

    def shuffled_labels(self, seed: int) -> Int[np.ndarray, " unit"]:
        """The task's labels, exchanged; drawn anew until train has every class and no split is left with one only."""
        rng = np.random.default_rng(seed)
        for _ in range(TRIES):
            labels = self._exchanged(rng)
            if all(self._kinds(labels, split) >= min(2, self._kinds(self.labels, split)) for split in SPLITS):
                if self._kinds(labels, "train") == self.n_classes:
                    break
        return labels

    def _exchanged(self, rng: np.random.Generator) -> Int[np.ndarray, " unit"]:
        if not self.by_document:
            return rng.permutation(self.labels)
        documents, first, place = np.unique(self.units.group, return_index=True, return_inverse=True)
        return self.labels[first][rng.permutation(len(documents))][place]

    def _kinds(self, labels: Int[np.ndarray, " unit"], split: str) -> int:
        return len(np.unique(self.of(split, labels)))

    @cached_property
    def seen(self) -> Bool[np.ndarray, " unit"]:
        """Whether a unit's word, lower-cased, occurs in train."""
        folded = [form.lower() for form in self.units.form.tolist()]
        known = {folded[i] for i in self.index["train"]}
        return np.array([form in known for form in folded])


def control_task(
    train: Int[np.ndarray, " known"], forms: Sequence[str], n_classes: int, seed: int
) -> Int[np.ndarray, " form"]:
    """The labels of the control task.

    Args:
        train: the task's own training labels, for their proportions.
        forms: the words to label; the same word gets the same label for the same seed, in any list.
    """
    shares = np.bincount(train, minlength=n_classes) / len(train)
    kinds, place = np.unique(np.array(forms, dtype=str), return_inverse=True)
    return np.random.default_rng(seed).choice(n_classes, size=len(kinds), p=shares)[place]


def problem_of(units: UnitTable, examples: Examples, positive: str | None, seed: int) -> Problem:
    """Number the classes and find each unit's row: words follow one another, text by text."""
    classes = units.classes
    if positive is not None:
        classes = tuple(sorted(classes, key=lambda name: name == positive))
    return Problem(units, classes, _rows(units, examples), seed)


def _rows(units: UnitTable, examples: Examples) -> Int[np.ndarray, " unit"]:
    if len(units) and units.word[0] == WHOLE_TEXT:
        return units.example
    sizes: Sequence[int] = examples.sizes()
    return (np.cumsum(sizes) - sizes)[units.example] + units.word

"""`Problem`: a task on a corpus as arrays, with the labellings that control for the probe itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from latentmech.data import Examples, UnitTable
from latentmech.probe.controls import control_task, shuffled


@dataclass(frozen=True)
class Problem:
    """What is to be predicted, from which rows of the activations.

    Attributes:
        units: the labelled words (or texts).
        classes: label names, in the order of their numbers; the positive class last if the task is binary.
        rows: each unit's row in the activations.
        seed: orders the training documents, and draws control labels.
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
    def binary(self) -> bool:
        """Two classes: F1 and AUROC of the last one are the scores."""
        return self.n_classes == 2

    @cached_property
    def labels(self) -> Int[np.ndarray, " unit"]:
        """Class numbers."""
        number = {name: i for i, name in enumerate(self.classes)}
        return np.array([number[label] for label in self.units.label.tolist()], dtype=np.int64)

    @cached_property
    def index(self) -> dict[str, Int[np.ndarray, " part"]]:
        """Unit numbers of each split; train in seeded order of documents, as the online code needs it."""
        parts = {split: np.flatnonzero(self.units.split == split) for split in ("train", "dev", "test")}
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
        return np.unique(self.of(split, self.units.group), return_inverse=True)[1]

    def control_labels(self, seed: int) -> Int[np.ndarray, " unit"]:
        """A label for every unit from the control task with this seed."""
        return control_task(self.of("train", self.labels), self.units.form.tolist(), self.n_classes, seed)

    def shuffled_labels(self, seed: int) -> Int[np.ndarray, " unit"]:
        """The task's labels; those of train in random order."""
        labels = self.labels.copy()
        labels[self.index["train"]] = shuffled(self.of("train", self.labels), seed)
        return labels

    @cached_property
    def seen(self) -> Bool[np.ndarray, " unit"]:
        """Whether a unit's word, lower-cased, occurs in train."""
        folded = [form.lower() for form in self.units.form.tolist()]
        known = {folded[i] for i in self.index["train"]}
        return np.array([form in known for form in folded])


def problem_of(units: UnitTable, examples: Examples, positive: str | None, seed: int) -> Problem:
    """Number the classes and find each unit's row: words follow one another, text by text."""
    classes = units.classes
    if positive is not None:
        classes = tuple(sorted(classes, key=lambda name: name == positive))
    return Problem(units, classes, _rows(units, examples), seed)


def _rows(units: UnitTable, examples: Examples) -> Int[np.ndarray, " unit"]:
    if len(units) and units.word[0] < 0:
        return units.example
    sizes: Sequence[int] = examples.sizes()
    return (np.cumsum(sizes) - sizes)[units.example] + units.word

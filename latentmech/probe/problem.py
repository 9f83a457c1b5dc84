"""`Problem`: a task on a corpus as arrays, with the labellings that mean nothing.

What a probe scores on such labels it owes to itself, not to the model.

control task      every word type gets one class at random, in the proportions of the task, wherever it stands (Hewitt &
                  Liang 2019, "Designing and interpreting probes with control tasks"): it can only be learned by heart,
                  and the task's accuracy minus this one's is the probe's selectivity
shuffled labels   the task's labels, exchanged among what was labelled: documents, if all rows of each have one label,
                  else rows. In train, dev and test together, as a permutation test asks for: with the true labels on
                  test, a probe that happens to fall on the main axis of the data would read them
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.activations import JointMoments
from latentmech.data import WHOLE_TEXT, Examples, Task, UnitTable, to_score
from latentmech.probe.sample import Sample, sample_of, summed_sample
from latentmech.statistics import clusters_of

SPLITS = ("train", "dev", "test")
CONTROL, SHUFFLED = "control_task", "shuffled"
TRIES = 200  # exchanges until one leaves train with every class

Labellings = Sequence[tuple[str, np.ndarray]]  # a name and labels of every unit, for each that means nothing


@dataclass(frozen=True, eq=False)
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

    def sample(self, rows: Float[Tensor, "row d_model"], moments: JointMoments | None = None) -> Sample:
        """The train and dev rows of a level, as solvers take them; or moments of train and the rows that were kept."""
        if moments is not None:
            return summed_sample(moments, rows, self.activation_rows("dev"))
        return sample_of(rows, self.activation_rows("train"), self.activation_rows("dev"))

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
        """The control task's labels; the same word gets the same one for the same seed."""
        shares = np.bincount(self.of("train", self.labels), minlength=self.n_classes) / len(self.index["train"])
        kinds, place = np.unique(self.units.form.astype(str), return_inverse=True)
        return np.random.default_rng(seed).choice(self.n_classes, size=len(kinds), p=shares)[place]

    def shuffled_labels(self, seed: int) -> Int[np.ndarray, " unit"]:
        """The task's labels, exchanged; drawn anew until train has every class, and dev and test have two."""
        rng, (labels, place) = np.random.default_rng(seed), self._labelled
        for _ in range(TRIES):
            exchanged = rng.permutation(labels)[place]
            kinds = [len(np.unique(self.of(split, exchanged))) for split in SPLITS]
            if kinds[0] == self.n_classes and min(kinds) > 1:
                break
        return exchanged

    @property
    def labelled(self) -> str:
        """What labels were given to, as far as one can tell: `documents`, `texts` or `words`."""
        return "documents" if len(self._labelled[0]) < len(self.labels) else f"{self.unit}s"

    @cached_property
    def _labelled(self) -> tuple[Int[np.ndarray, " labelled"], Int[np.ndarray, " unit"]]:
        """The labels that were given, and which of them each unit has."""
        _, first, document = np.unique(self.units.group, return_index=True, return_inverse=True)
        alike = (self.labels[first][document] == self.labels).all()
        return (self.labels[first], document) if alike else (self.labels, np.arange(len(self.labels)))

    def labellings(self, n_tasks: int, n_shuffles: int, seed: int) -> Labellings:
        """Control tasks, which need words that occur more than once, and exchanged labels."""
        tasks = [(CONTROL, self.control_labels(seed + i)) for i in range(n_tasks if self.unit == "word" else 0)]
        return tasks + [(SHUFFLED, self.shuffled_labels(seed + i)) for i in range(n_shuffles)]

    def shared(self, rows: Float[Tensor, "row d_model"]) -> list[str]:
        """What a reader must know of words that have one vector: several in one token, or that do not spell theirs.

        Args:
            rows: of one block, for all words; in an embedding the same word twice would seem to be one.
        """
        if self.unit == "text":
            return []
        own = rows[torch.from_numpy(self.rows)]
        same = (own[1:] == own[:-1]).all(1).numpy() & (np.diff(self.units.example) == 0)
        token, test = np.cumsum(np.append(True, ~same)), self.index["test"]
        sharing = np.append(same, False) | np.append(False, same)
        if not sharing.any():
            return []
        kinds = Counter(zip(token[test].tolist(), self.labels[test].tolist(), strict=True))
        best = sum(max(n for _, n in own) for _, own in groupby(sorted(kinds.items()), key=lambda one: one[0][0]))
        said = f"{sharing.sum()} of {len(same) + 1} labelled words share a vector with a neighbour: they stand in one "
        said += "token, or do not spell the token that they were written as"
        return [f"{said}. No probe can be right on more than {best / len(test):.1%} of test."]

    @cached_property
    def seen(self) -> Bool[np.ndarray, " unit"]:
        """Whether a unit's word, lower-cased, occurs in train."""
        folded = [form.lower() for form in self.units.form.tolist()]
        known = {folded[i] for i in self.index["train"]}
        return np.array([form in known for form in folded])


def posed(task: Task, examples: Examples, unseen: str, seed: int) -> Problem:
    """A task on a corpus; classes that train lacks are an `error`, or are to `drop`.

    Raises:
        BadInput: a split has no labelled units, or fewer than two classes.
    """
    return problem_of(to_score(examples, task, unseen), examples, seed)


def problem_of(units: UnitTable, examples: Examples, seed: int) -> Problem:
    """Number the classes and find each unit's row: words follow one another, text by text."""
    classes = sorted(units.classes, key=lambda name: name == units.positive)
    return Problem(units, tuple(classes), rows_of(units, examples), seed)


def rows_of(units: UnitTable, examples: Examples) -> Int[np.ndarray, " unit"]:
    """Each unit's row among those of all words (or texts)."""
    if not len(units) or units.word[0] == WHOLE_TEXT:
        return units.example
    sizes = np.array(examples.sizes())
    return (np.cumsum(sizes) - sizes)[units.example] + units.word

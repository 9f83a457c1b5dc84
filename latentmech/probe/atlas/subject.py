"""`Subject`: a row of the atlas before anything is measured: texts, labels, and which states are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Activations
from latentmech.data import Examples, Task, flat
from latentmech.errors import BadInput
from latentmech.probe.atlas.pairing import paired
from latentmech.probe.atlas.settings import AtlasSettings
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.problem import Problem, problem_of
from latentmech.probe.scores import compared_by, logits_on_test, scored
from latentmech.probe.surface import mention_answers, surface_answers
from latentmech.statistics import Tally

Part = Int[np.ndarray, " part"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A task on a data set.

    Attributes:
        task: what is asked.
        data: which data set, where there are several for one task.
        examples: the texts.
        problem: what is to be predicted from which rows.
        position: the tokens that are read, as the activation store calls them.
        pairing: how two mentions become one vector; None where words or texts are labelled.
    """

    task: Task
    examples: Examples
    problem: Problem
    position: str
    pairing: str | None = None
    data: str | None = None

    @property
    def kind(self) -> str:
        """What is asked of every data set: `pos`, `coreference_product`."""
        return self.task.name if self.pairing is None else f"{self.task.name}_{self.pairing}"

    @property
    def name(self) -> str:
        """What the atlas calls the row: `pos`, `coreference_product`, `truth@cities`."""
        return self.kind if self.data is None else f"{self.kind}@{self.data}"

    @property
    def unit(self) -> str:
        """What one row of it is."""
        return "pair" if self.pairing is not None else self.position.partition("_")[0]

    @property
    def metric(self) -> str:
        """Balanced accuracy for two classes: it is one half for every constant answer, however common a class is."""
        return compared_by(self.problem.n_classes)

    @property
    def documents(self) -> list[str]:
        """The groups of dev, in the order of their numbers."""
        names = np.unique(np.array(self.examples.groups, dtype=object))
        groups = np.unique(self.problem.of("dev", self.problem.units.group))
        return [f"{self.examples.source}: {names[group]}" for group in groups.tolist()]

    @property
    def reads(self) -> tuple[str | None, bytes, bytes]:
        """What a sample is made of: subjects with the same features of the same train and dev rows share theirs."""
        train, dev = (self.problem.of(split, self.problem.rows).tobytes() for split in ("train", "dev"))
        return self.pairing, train, dev

    def tally(self, split: str, answers: Part, labels: np.ndarray | None = None) -> Tally:
        """What answers are worth, by the metric.

        Args:
            labels: of every unit; default the task's own, else those of a control.
        """
        return scored(self.problem, split, answers, labels=labels).tallies[self.metric]

    def also(self, answers: Part) -> dict[str, Tally]:
        """Other scores of answers on test: accuracy of two classes, F1 of one that stands against all others."""
        others = {"accuracy"} if self.task.positive is None else {"accuracy", "f1"}
        found = scored(self.problem, "test", answers).tallies
        return {name: score for name, score in found.items() if name in others - {self.metric}}

    def surface(self, split: str) -> dict[str, Part]:
        """Answers without the model."""
        if self.pairing is not None:
            return mention_answers(self.problem, self.examples, split)
        return surface_answers(self.problem, split, capital=self.task.capital)

    def answers(
        self,
        activations: Activations,
        probes: Sequence[LinearProbe],
        known: Float[Tensor, "known 2 d_model"] | None = None,
    ) -> list[Part]:
        """Answers on test of probes that read the same level, as numbers of their own classes."""
        features = self.features(activations.level(probes[0].hook_name), known)
        return [logits_on_test(self.problem, features, probe).argmax(1) for probe in probes]

    def features(
        self, rows: Float[Tensor, "row d_model"], known: Float[Tensor, "known 2 d_model"] | None = None
    ) -> Float[Tensor, "unit feature"]:
        """What a probe reads, from the states of one level.

        Args:
            known: mentions of the training pairs, if the probe was trained on another data set.
        """
        if self.pairing is None:
            return rows
        mentions = rows.view(-1, 2, rows.shape[1])
        return paired(mentions, self.pairing, self.known(rows) if known is None else known)

    def known(self, rows: Float[Tensor, "row d_model"]) -> Float[Tensor, "known 2 d_model"]:
        """States of the mentions of the training pairs."""
        return rows.view(-1, 2, rows.shape[1])[self.problem.activation_rows("train")]


def subjects_of(task: Task, examples: Examples, asked: AtlasSettings) -> list[Subject]:
    """The rows that one task on one data set makes: one, or one for each pairing of mentions.

    Raises:
        BadInput: a split has no labelled units, or fewer than two classes.
    """
    units = flat(examples, task, asked.unseen_classes)
    if empty := [split for split in ("train", "dev", "test") if split not in units.split]:
        raise BadInput(f"{examples.source} has no {empty[0]} rows for {task.name}; raise the limit, or add data")
    per_word = task.per_word(examples)
    mentions = not per_word and examples.spans is not None and set(examples.sizes()) == {2}
    place = f"word_{asked.position}" if mentions or per_word else f"text_{asked.text_position}"
    problem = problem_of(units, examples, task.positive, asked.seed)
    subject = Subject(task=task, examples=examples, problem=problem, position=place)
    return [replace(subject, pairing=pairing) for pairing in asked.pairings] if mentions else [subject]

"""`Subject`: a row of the atlas before anything is measured: texts, labels, and which states are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import Contrast, Examples, Task, flat
from latentmech.errors import BadInput
from latentmech.probe.atlas.pairing import paired
from latentmech.probe.problem import Problem, problem_of
from latentmech.probe.surface import mention_answers, surface_answers

LABEL = "label"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A task on a data set.

    Attributes:
        task: what is asked.
        data: which data set, where there are several for one task.
        stage: `syntax`, `semantics`, `output`, or `own` for the user's.
        examples: the texts.
        problem: what is to be predicted from which rows.
        position: the tokens that are read, as the activation store calls them.
        metric: `f1` where one class stands against all others, else `accuracy`.
        pairing: how two mentions become one vector; None where words or texts are labelled.
    """

    task: str
    stage: str
    examples: Examples
    problem: Problem
    position: str
    metric: str
    pairing: str | None = None
    data: str | None = None

    @property
    def name(self) -> str:
        """What the atlas calls the row: `pos`, `coreference_product`, `truth@cities`."""
        name = self.task if self.pairing is None else f"{self.task}_{self.pairing}"
        return name if self.data is None else f"{name}@{self.data}"

    @property
    def unit(self) -> str:
        """What one row of it is."""
        if self.pairing is not None:
            return "pair"
        return self.position.partition("_")[0]

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

    def surface(self, split: str) -> dict[str, Int[np.ndarray, " part"]]:
        """Answers without the model."""
        if self.pairing is not None:
            return mention_answers(self.problem, self.examples, split)
        return surface_answers(self.problem, split, capital=self.task == "proper_noun")


def subjects_of(
    task: Task,
    stage: str,
    examples: Examples,
    *,
    position: str,
    text_position: str,
    pairings: Sequence[str],
    unseen_classes: str,
    seed: int,
) -> list[Subject]:
    """The rows that one task on one data set makes: one, or one for each pairing of mentions.

    Raises:
        BadInput: a split has no labelled units, or fewer than two classes.
    """
    units = flat(examples, task, unseen_classes)
    if empty := [split for split in ("train", "dev", "test") if split not in units.split]:
        raise BadInput(f"{examples.source} has no {empty[0]} rows for {task.name}; raise the limit, or add data")
    mentions = holds_mentions(examples, task)
    subject = Subject(
        task=task.name,
        stage=stage,
        examples=examples,
        problem=problem_of(units, examples, task.positive, seed),
        position=f"word_{position}" if mentions or task.per_word(examples) else f"text_{text_position}",
        metric="f1" if task.positive is not None else "accuracy",
    )
    if not mentions:
        return [subject]
    return [replace(subject, pairing=pairing) for pairing in pairings]


def holds_mentions(examples: Examples, task: Task) -> bool:
    """Whether a text's label is about two words of it."""
    return not task.per_word(examples) and examples.spans is not None and set(examples.sizes()) == {2}


def labelled(contrast: Contrast) -> Examples:
    """The texts of a contrast with a column that says which kind each is of."""
    kinds = tuple("positive" if kind else "negative" for kind in contrast.labels)
    joint = contrast.joint
    return replace(joint, columns={**joint.columns, LABEL: kinds}, notes=contrast.notes)

"""`Subject`: a row of the atlas before anything is measured, with texts, labels and what is read; `Fitted`: its probes.

A level is read once for all subjects of one collection, and those on the same rows share its spectrum.

From the states of two mentions to the features of a pair:

    concatenation  [a; b]     what either mention says (Tenney et al. 2019, "What do you learn from context?")
    product        a * b      where the two agree, dimension by dimension
    difference     |a - b|    where they differ (Conneau et al. 2017, "Supervised learning of universal sentence
                              representations", use the last two together)

`a` and `b` are standardised by the mentions of the training pairs first: products of raw states are ruled by the few
dimensions whose mean is far from zero. A linear probe on a concatenation adds up what each mention says by itself, so
agreement between the two is out of its reach; the other two see nothing but agreement.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Activations
from latentmech.data import Examples, Task
from latentmech.model import Level
from latentmech.probe.atlas.settings import AtlasSettings
from latentmech.probe.fitting import Fitting, LevelFit
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.methods import FitMethod
from latentmech.probe.problem import Labellings, Problem, posed
from latentmech.probe.sample import side_by_side
from latentmech.probe.scores import compared_by, logits_on_test, scored
from latentmech.probe.surface import mention_answers, surface_answers
from latentmech.statistics import Tally
from latentmech.tensors import divisor

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)
Part = Int[np.ndarray, " part"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A task on a data set.

    Attributes:
        data: which data set, where there are several for one task.
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
        """What answers are worth by the metric, under the task's own labels or those of a control for every unit."""
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

    def answer(self, features: Float[Tensor, "unit feature"], probe: LinearProbe) -> Part:
        """What a probe answers on test, as numbers of its own classes."""
        return logits_on_test(self.problem, features, probe).argmax(1)

    def features(
        self, rows: Float[Tensor, "row d_model"], known: Float[Tensor, "known 2 d_model"] | None = None
    ) -> Float[Tensor, "unit feature"]:
        """What a probe reads of one level's states; a probe from another data set has known that one's mentions."""
        if self.pairing is None:
            return rows
        mentions = rows.view(-1, 2, rows.shape[1])
        return paired(mentions, self.pairing, self.known(rows) if known is None else known)

    def known(self, rows: Float[Tensor, "row d_model"]) -> Float[Tensor, "known 2 d_model"]:
        """States of the mentions of the training pairs."""
        return rows.view(-1, 2, rows.shape[1])[self.problem.activation_rows("train")]


def subjects_of(task: Task, examples: Examples, asked: AtlasSettings) -> list[Subject]:
    """The rows that one task on one data set makes: one, or one for each pairing of mentions; errors as of `posed`."""
    problem = posed(task, examples, asked.unseen_classes, asked.seed)
    per_word = task.per_word(examples)
    mentions = not per_word and examples.spans is not None and set(examples.sizes()) == {2}
    place = f"word_{asked.position}" if mentions or per_word else f"text_{asked.text_position}"
    subject = Subject(task=task, examples=examples, problem=problem, position=place)
    return [replace(subject, pairing=pairing) for pairing in asked.pairings] if mentions else [subject]


def paired(
    mentions: Float[Tensor, "pair 2 d_model"], pairing: str, known: Float[Tensor, "known 2 d_model"]
) -> Float[Tensor, "pair feature"]:
    """Features of every pair.

    Args:
        mentions: states of the two mentions of each pair.
        pairing: `product`, `difference` or `concatenation`.
        known: states of the mentions of the training pairs, by which all are standardised.
    """
    states = known.flatten(0, 1).double()
    mean = states.mean(0)
    scale = divisor(states.std(0, correction=0), mean)
    first, second = ((mentions.double() - mean) / scale).float().unbind(1)
    if pairing == "concatenation":
        return torch.cat([first, second], dim=1)
    return first * second if pairing == "product" else (first - second).abs()


@dataclass(frozen=True)
class Fitted:
    """One subject's probes at every level, with the labellings that mean nothing fitted beside it."""

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

    def on_test(self, level: int) -> list[Part]:
        """Answers of a level's probe, then of its controls."""
        fit = self.levels[level]
        features = self.subject.features(self.activations.level(fit.level.hook_name))
        return [self.subject.answer(features, probe) for probe in (fit.probe, *fit.controls)]

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
    """Fit all subjects, which read the same activations, each with its labellings beside it."""
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
    keyed = [(key(item), item) for item in items]
    return {one: [item for own, item in keyed if own == one] for one in dict(keyed)}

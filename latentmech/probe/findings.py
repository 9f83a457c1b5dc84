"""What a probe study has measured, before it is put into words, tables and pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from latentmech.data import SURFACE, Duplicates, Examples
from latentmech.probe.fitting import LevelFit
from latentmech.probe.online_code import uniform_code
from latentmech.probe.problem import CONTROL, SHUFFLED, Problem
from latentmech.probe.scores import Scored
from latentmech.statistics import Estimate, Lead, over_seeds, p_value

ENOUGH = 19  # exchanges of labels that can give a p-value of 0.05
NAMES = {
    "probe": "probe at the best block",
    "embed": "probe of the embedding",
    "random_init": "probe of the random-init twin",
    CONTROL: "control task",
    SHUFFLED: "shuffled labels",
    "majority": "majority class",
    "always_positive": "always the positive class",
    "lookup": "commonest tag of the word",
    "lookup_folded": "commonest tag of the word or its lower case",
    "lookup_capitalised": "look-up and capital letter",
    **SURFACE,
}


def place_of(fit: LevelFit) -> dict[str, object]:
    """Where a fit belongs, as columns of a tidy row."""
    return {"layer": fit.level.layer, "strength": fit.strength}


@dataclass(frozen=True, eq=False)
class ProbedLevels:
    """Probes of one model at every level, embedding first.

    Attributes:
        dev: what each answers on dev.
        best: index of the block that dev chose.
    """

    fits: Sequence[LevelFit]
    dev: Sequence[Scored]
    best: int

    @property
    def chosen(self) -> LevelFit:
        """The fit at that block."""
        return self.fits[self.best]

    @property
    def coded(self) -> bool:
        """Whether code lengths were computed."""
        return bool(np.isfinite(self.chosen.code_bits))

    def on_dev(self, metric: str) -> list[Estimate]:
        """One score, level by level."""
        return [one.scores[metric] for one in self.dev]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeFindings:
    """Everything measured, and how.

    Attributes:
        path: how many strengths were to be tried at each level.
        metric: the score by which blocks were chosen.
        compared: the score by which rivals are beaten.
        own: the task's probes.
        twin: the same of the random-init twin; None if it was switched off.
        equals: indices of the levels not shown to be worse than the best on dev; None where it cannot be told.
        test: answers on test by who gives them: `probe`, `embed`, `random_init`, `majority`, `lookup`, ...
        baselines_dev: the answers without the model on dev.
        controls: of each labelling that means nothing, its name and the answers of its probe on test.
        leads: how far the probe is ahead of each rival on test.
        selectivity: accuracy ahead of the control tasks, paired, on test; None without one.
        codes: code length in bits at the best block: of one labelling that means nothing, and of the random-init twin.
        subsets: accuracy on parts of test.
        undone: what does not apply, in sentences.
    """

    task: str
    model: str
    site: str
    position: str
    method: str
    path: int
    metric: str
    compared: str
    examples: Examples
    duplicates: Duplicates
    problem: Problem
    own: ProbedLevels
    twin: ProbedLevels | None
    equals: Sequence[int] | None
    test: Mapping[str, Scored]
    baselines_dev: Mapping[str, Scored]
    controls: Sequence[tuple[str, Scored]]
    leads: Sequence[Lead]
    selectivity: Estimate | None
    codes: Mapping[str, float]
    subsets: Mapping[str, Estimate]
    undone: Sequence[str]

    @property
    def kinds(self) -> Mapping[str, int]:
        """The labellings that mean nothing: their names, and how many there are of each."""
        return Counter(name for name, _ in self.controls)

    def control(self, kind: str) -> dict[str, Estimate]:
        """Scores on test of the labellings of one kind: mean and range over seeds."""
        picked = [one.scores for name, one in self.controls if name == kind]
        return {metric: over_seeds(scores[metric].value for scores in picked) for metric in picked[0]}

    def control_dev(self, kind: str) -> list[Estimate]:
        """Their accuracy on dev, level by level."""
        picked = [i for i, (name, _) in enumerate(self.controls) if name == kind]
        return [over_seeds(fit.control_dev[i] for i in picked) for fit in self.own.fits]

    def selectivity_dev(self) -> list[float]:
        """Accuracy on dev minus that of the control tasks, level by level."""
        ahead = zip(self.own.on_dev("accuracy"), self.control_dev(CONTROL), strict=True)
        return [own.value - control.value for own, control in ahead]

    @property
    def untold(self) -> str:
        """Why it cannot be told whether rivals are beaten; empty if it can."""
        return "test is a single document" if self.documents["test"] < 2 else ""

    @property
    def exchanges(self) -> tuple[int, int, float] | None:
        """How many exchanges of the labels reach the probe's score on test, of how many, and the p-value."""
        null = np.array([one.scores[self.metric].value for kind, one in self.controls if kind == SHUFFLED])
        seen = self.test["probe"].scores[self.metric].value
        return (int((null >= seen).sum()), len(null), p_value(seen, null)) if len(null) >= ENOUGH else None

    def compression(self, bits: float) -> float:
        """Uniform code length divided by an online code length."""
        return uniform_code(len(self.problem.index["train"]), self.problem.n_classes) / bits

    @cached_property
    def documents(self) -> dict[str, int]:
        """How many documents each split has."""
        return {split: int(self.problem.clusters(split).max()) + 1 for split in self.problem.index}

    def confusion(self, who: str) -> Int[np.ndarray, "true answered"]:
        """How often each class (row) was answered as each class (column) on test."""
        n, truth = self.problem.n_classes, self.problem.of("test", self.problem.labels)
        return np.bincount(truth * n + self.test[who].predicted, minlength=n * n).reshape(n, n)

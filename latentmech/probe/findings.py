"""What a probe study has measured, before it is put into words, tables and pictures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import SURFACE, Duplicates, Examples
from latentmech.probe.fitting import LevelFit
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.online_code import online_code, uniform_code
from latentmech.probe.problem import CONTROL, SHUFFLED, Problem
from latentmech.probe.scores import Scored, compared_by, logits_on_test, mean_of_tallies, metric_of, scored
from latentmech.statistics import Estimate, Lead, Tally, confidence_set, difference, leads, over_seeds, p_value

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


@dataclass(frozen=True, eq=False)
class ProbedLevels:
    """Probes of one model at every level, embedding first.

    Attributes:
        rows: the states that they read, by hook point.
    """

    problem: Problem
    rows: Callable[[str], Float[Tensor, "row d_model"]]
    fits: Sequence[LevelFit]
    draws: int

    @cached_property
    def dev(self) -> list[Scored]:
        """What each answers on dev."""
        answers = [(fit.dev_predicted, fit.dev_margin) for fit in self.fits]
        return [scored(self.problem, "dev", *given, draws=self.draws) for given in answers]

    @cached_property
    def best(self) -> int:
        """Index of the block that does best on dev; the lower one of two equals."""
        values = [one.value for one in self.on_dev(metric_of(self.problem.n_classes))]
        return max((i for i, fit in enumerate(self.fits) if fit.level.layer is not None), key=lambda i: values[i])

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

    def on_test(self, fit: LevelFit, probe: LinearProbe, labels: Int[np.ndarray, " unit"] | None = None) -> Scored:
        """What a probe that reads the level of a fit answers on test, by the task's labels or those of a control."""
        logits = logits_on_test(self.problem, self.rows(fit.level.hook_name), probe)
        return scored(self.problem, "test", logits.argmax(1), logits[:, -1] - logits[:, 0], labels, self.draws)

    def bits(self, labels: Int[np.ndarray, " unit"]) -> float:
        """Online code length of some labels at the best block."""
        sample = self.problem.sample(self.rows(self.chosen.level.hook_name))
        return online_code(sample, torch.from_numpy(self.problem.of("train", labels)), self.problem.n_classes)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeFindings:
    """Everything measured, and how.

    Attributes:
        path: how many strengths were to be tried at each level.
        own: the task's probes.
        twin: the same of the random-init twin; None if it was switched off.
        test: answers on test by who gives them: `probe`, `embed`, `random_init`, `majority`, `lookup`, ...
        baselines_dev: the answers without the model on dev.
        controls: of each labelling that means nothing, its name and the answers of its probe on test.
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
    examples: Examples
    duplicates: Duplicates
    problem: Problem
    own: ProbedLevels
    twin: ProbedLevels | None
    test: Mapping[str, Scored]
    baselines_dev: Mapping[str, Scored]
    controls: Sequence[tuple[str, Scored]]
    codes: Mapping[str, float]
    subsets: Mapping[str, Estimate]
    undone: Sequence[str]

    @property
    def metric(self) -> str:
        """The score by which blocks were chosen."""
        return metric_of(self.problem.n_classes)

    @property
    def compared(self) -> str:
        """The score by which rivals are beaten."""
        return compared_by(self.problem.n_classes)

    @cached_property
    def equals(self) -> list[int] | None:
        """Levels not shown to be worse than the best, by the score that chose it; None where that cannot be told."""
        tallies, draws = [one.tallies[self.metric] for one in self.own.dev], self.own.draws
        return confidence_set(tallies, draws) if np.isfinite(tallies[0].value) else None

    @cached_property
    def leads(self) -> list[Lead]:
        """How far the probe is ahead, on test, of everything that lacks the information."""
        rivals = {who: one.tallies[self.compared] for who, one in self.test.items() if who != "probe"}
        rivals |= {kind: self._drawn(kind, self.compared) for kind in self.kinds}
        return leads(self.test["probe"].tallies[self.compared], rivals, self.own.draws)

    @cached_property
    def selectivity(self) -> Estimate | None:
        """Accuracy ahead of the control tasks, paired, on test; None without one."""
        if CONTROL not in self.kinds:
            return None
        return difference(self.test["probe"].tallies["accuracy"], self._drawn(CONTROL, "accuracy"), self.own.draws)

    def _drawn(self, kind: str, metric: str) -> Tally:
        """The mean score of the labellings of one kind."""
        return mean_of_tallies([one.tallies[metric] for name, one in self.controls if name == kind])

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

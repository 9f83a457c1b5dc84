"""`ProbeStudy`: what each layer encodes, and what of that the controls explain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Duplicates, Examples, Task, cross_split_duplicates, flat
from latentmech.errors import BadInput
from latentmech.model import Level, Model, levels_of
from latentmech.probe.account import account_of
from latentmech.probe.findings import CONTROL, SHUFFLED, ProbedLevels, ProbeFindings
from latentmech.probe.fitting import Fitting
from latentmech.probe.methods import method_of
from latentmech.probe.online_code import online_code
from latentmech.probe.problem import Problem, problem_of
from latentmech.probe.sample import sample_of
from latentmech.probe.scores import Scored, compared_by, mean_of_tallies, metric_of, scored, scored_on_test
from latentmech.probe.settings import ProbeSettings
from latentmech.probe.surface import surface_answers
from latentmech.report import Report
from latentmech.statistics import (
    Estimate,
    Lead,
    clusters_of,
    confidence_set,
    difference,
    estimate,
    leads,
    mean_of,
    p_value,
)

Labellings = Sequence[tuple[str, np.ndarray]]
Controls = Sequence[tuple[str, Scored]]
ENOUGH = 19  # exchanges of labels that can give a p-value of 0.05


@dataclass(frozen=True, kw_only=True)
class ProbeStudy(ProbeSettings):
    """Linear probes at every level, with the controls beside them."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Fit, choose on dev, read test once, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> ProbeFindings:
        """Everything that the report is made of."""
        examples, asked = self.data(), self.asked()
        problem = self._problem(examples, asked)
        levels, position = levels_of(model.n_layers, self.site, self.layers), f"{problem.unit}_{self.position}"
        activations = store.get(model, examples, levels, position)
        labellings = self._labellings(problem)
        fitting = self._fitting(problem, labellings)
        own = self._levels(fitting, activations, levels, model.name)
        test, controls = self._on_test(problem, activations, own, labellings)
        test |= self._surface(problem, asked, "test")
        twin = None
        if self.random_init:
            fresh = store.get(replace(model, random_init=True, seed=self.seed), examples, levels, position)
            twin = self._levels(replace(fitting, controls=()), fresh, levels, f"{model.name} (random init)")
            rows = fresh.level(twin.chosen.level.hook_name)
            test["random_init"] = scored_on_test(problem, rows, twin.chosen.probe, self.draws)
        untold, duplicates = _untold(problem), cross_split_duplicates(examples)
        return ProbeFindings(
            task=asked.name, model=model.name, site=self.site, position=self.position, method=self.method,
            path=len(fitting.method.path), examples=examples, duplicates=duplicates, problem=problem, own=own,
            twin=twin, equals=self._equals(own), test=test, baselines_dev=self._surface(problem, asked, "dev"),
            controls=controls, leads=[] if untold else self._leads(problem, test, controls), untold=untold,
            selectivity=self._selectivity(test["probe"], controls), exchanges=_exchanges(test["probe"], controls),
            control_code=self._control_code(fitting, activations, own, labellings),
            subsets=self._subsets(problem, test["probe"], duplicates), undone=tuple(self._undone(problem)),
        )  # fmt: skip

    def _problem(self, examples: Examples, asked: Task) -> Problem:
        units = flat(examples, asked, self.unseen_classes)
        for split in ("train", "dev", "test"):
            if split not in units.split:
                raise BadInput(f"{examples.source} has no {split} rows for {asked.name}; raise probe.data.limit")
        return problem_of(units, examples, asked.positive, self.seed)

    def _labellings(self, problem: Problem) -> Labellings:
        """Name and labels of every control; a control task needs words that occur more than once."""
        n_tasks = self.control_seeds if problem.unit == "word" else 0
        tasks = [(CONTROL, problem.control_labels(self.seed + i)) for i in range(n_tasks)]
        return tasks + [(SHUFFLED, problem.shuffled_labels(self.seed + i)) for i in range(self.shuffles)]

    def _fitting(self, problem: Problem, labellings: Labellings) -> Fitting:
        return Fitting(
            method=method_of(self.method, self.strengths),
            problem=problem,
            controls=[labels for _, labels in labellings],
            class_weight=self.class_weight,
            with_code=self.code_length and self.method == "logistic",
            memory_gib=self.memory_gib,
        )

    def _levels(self, fitting: Fitting, activations: Activations, levels: Sequence[Level], title: str) -> ProbedLevels:
        """Probes at every level, and the block among them that does best on dev; the lower one of two equals."""
        problem, fits = fitting.problem, fitting(activations, levels, title)
        truth, clusters, n = problem.of("dev", problem.labels), problem.clusters("dev"), problem.n_classes
        dev = [scored(fit.dev_predicted, truth, clusters, n, fit.dev_margin, self.draws) for fit in fits]
        blocks = [i for i, fit in enumerate(fits) if fit.level.layer is not None]
        return ProbedLevels(fits, dev, max(blocks, key=lambda i: dev[i].scores[metric_of(n)].value))

    def _equals(self, own: ProbedLevels) -> list[int] | None:
        """Levels not shown to be worse than the best, by the score that chose it; None where that has no value."""
        tallies = [one.tallies.get("auroc", one.tallies["accuracy"]) for one in own.dev]
        return confidence_set(tallies, self.draws) if np.isfinite(tallies[0].value) else None

    def _on_test(
        self, problem: Problem, activations: Activations, own: ProbedLevels, labellings: Labellings
    ) -> tuple[dict[str, Scored], list[tuple[str, Scored]]]:
        """The probe's answers and the embedding's, and those under labels that mean nothing.

        Control tasks are read at the same block; shuffled labels choose theirs, on their own dev labels.
        """
        rows = lru_cache(1)(activations.level)
        embed, best = own.fits[0], own.chosen
        test = {"probe": scored_on_test(problem, rows(best.level.hook_name), best.probe, self.draws)}
        controls = []
        for number, (name, labels) in enumerate(labellings):
            fit = best if name == CONTROL else max(own.fits[1:], key=lambda one: one.control_dev[number])
            level = rows(fit.level.hook_name)
            controls.append((name, scored_on_test(problem, level, fit.controls[number], self.draws, labels)))
        return test | {"embed": scored_on_test(problem, rows(embed.level.hook_name), embed.probe, self.draws)}, controls

    def _surface(self, problem: Problem, asked: Task, split: str) -> dict[str, Scored]:
        """Answers without the model, on one split."""
        truth, clusters, n = problem.of(split, problem.labels), problem.clusters(split), problem.n_classes
        answers = surface_answers(problem, split, capital=asked.capital)
        return {name: scored(given, truth, clusters, n, draws=self.draws) for name, given in answers.items()}

    def _leads(self, problem: Problem, test: Mapping[str, Scored], controls: Controls) -> list[Lead]:
        """How far the probe is ahead of everything that lacks the information.

        Of two classes, always the positive one is left to the majority class: by balanced accuracy they are the same.
        """
        metric = compared_by(problem.n_classes)
        rivals = {who: s.tallies[metric] for who, s in test.items() if who not in ("probe", "always_positive")}
        for kind in dict.fromkeys(name for name, _ in controls):
            rivals[kind] = mean_of_tallies([s.tallies[metric] for name, s in controls if name == kind])
        return leads(test["probe"].tallies[metric], rivals, self.draws)

    def _selectivity(self, probe: Scored, controls: Controls) -> Estimate | None:
        tasks = [s.tallies["accuracy"] for name, s in controls if name == CONTROL]
        return difference(probe.tallies["accuracy"], mean_of_tallies(tasks), self.draws) if tasks else None

    def _control_code(
        self, fitting: Fitting, activations: Activations, own: ProbedLevels, labellings: Labellings
    ) -> tuple[str, float] | None:
        """Online code length at the best block of the first labelling that means nothing."""
        if not labellings or not fitting.with_code:
            return None
        problem, (name, labels) = fitting.problem, labellings[0]
        parts = (problem.activation_rows(split) for split in ("train", "dev"))
        sample = sample_of(activations, [own.chosen.level.hook_name], *parts)
        bits = online_code(sample, torch.from_numpy(problem.of("train", labels)), problem.n_classes)
        return name, float(bits[0])

    def _subsets(self, problem: Problem, probe: Scored, duplicates: Duplicates) -> dict[str, Estimate]:
        """Accuracy on parts of test: seen and unseen words, and without texts that train has too."""
        copied = set(duplicates.example[duplicates.exact].tolist())
        parts = {"without_duplicates": [e not in copied for e in problem.of("test", problem.units.example).tolist()]}
        if problem.unit == "word":
            seen = problem.of("test", problem.seen)
            parts |= {"seen": seen, "unseen": ~seen}
        right = (probe.predicted == problem.of("test", problem.labels)).astype(float)
        return {
            name: estimate(mean_of(right[part], clusters_of(problem.clusters("test")[part]), 0, 1), self.draws)
            for name, part in parts.items()
            if np.any(part)
        }

    def _undone(self, problem: Problem) -> Iterator[str]:
        if self.code_length and self.method != "logistic":
            yield f"No online code length: {self.method} gives no probabilities."
        if problem.unit == "text" and self.control_seeds:
            yield "No control task: it needs words that recur, and here whole texts are labelled."


def _untold(problem: Problem) -> str:
    """Why it cannot be told whether rivals are beaten; empty if it can."""
    if problem.clusters("test").max() < 1:
        return "test is a single document"
    return "" if len(np.unique(problem.of("test", problem.labels))) > 1 else "test has one class only"


def _exchanges(probe: Scored, controls: Controls) -> tuple[int, int, float] | None:
    """How many exchanges of the labels reach the probe's score, of how many, and the p-value."""
    metric = "auroc" if "auroc" in probe.scores else "accuracy"
    null = np.array([s.scores[metric].value for name, s in controls if name == SHUFFLED])
    seen = probe.scores[metric].value
    return (int((null >= seen).sum()), len(null), p_value(seen, null)) if len(null) >= ENOUGH else None

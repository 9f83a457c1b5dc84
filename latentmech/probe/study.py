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
from latentmech.probe.findings import ProbedLevels, ProbeFindings
from latentmech.probe.fitting import Fitting, LevelFit
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.methods import method_of
from latentmech.probe.online_code import online_code
from latentmech.probe.problem import CONTROL, Problem, problem_of
from latentmech.probe.scores import Scored, compared_by, mean_of_tallies, metric_of, scored, scored_on_test
from latentmech.probe.settings import ProbeSettings
from latentmech.probe.surface import surface_answers
from latentmech.report import Report
from latentmech.statistics import Estimate, Lead, clusters_of, confidence_set, difference, estimate, leads, mean_of

Labellings = Sequence[tuple[str, np.ndarray]]
Controls = Sequence[tuple[str, Scored]]


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
        labellings = problem.labellings(self.control_seeds, self.shuffles, self.seed)
        fitting = Fitting(
            method=method_of(self.method, self.strengths), problem=problem,
            controls=[labels for _, labels in labellings], class_weight=self.class_weight,
            with_code=self.code_length and self.method == "logistic", memory_gib=self.memory_gib,
        )  # fmt: skip
        own = self._levels(fitting, activations, levels, model.name)
        test, controls = self._read(problem, activations, own, labellings)
        test |= self._surface(problem, asked, "test")
        metric, compared, twin = metric_of(problem.n_classes), compared_by(problem.n_classes), None
        first = labellings[:1] if own.coded else []
        codes = {kind: self._bits(problem, activations, own.chosen, labels) for kind, labels in first}
        if self.random_init:
            fresh = store.get(replace(model, random_init=True, seed=self.seed), examples, levels, position)
            bare = replace(fitting, controls=(), with_code=False)
            twin = self._levels(bare, fresh, levels, f"{model.name} (random init)")
            rows = fresh.level(twin.chosen.level.hook_name)
            test["random_init"] = scored_on_test(problem, rows, twin.chosen.probe, draws=self.draws)
            if own.coded:
                codes["random_init"] = self._bits(problem, fresh, twin.chosen, problem.labels)
        duplicates = cross_split_duplicates(examples)
        return ProbeFindings(
            task=asked.name, model=model.name, site=self.site, position=self.position, method=self.method,
            path=len(fitting.method.path), metric=metric, compared=compared, examples=examples, duplicates=duplicates,
            problem=problem, own=own, twin=twin, equals=self._equals(own, metric), test=test, controls=controls,
            baselines_dev=self._surface(problem, asked, "dev"), leads=self._leads(test, controls, compared),
            selectivity=self._selectivity(test["probe"], controls), codes=codes,
            subsets=self._subsets(problem, test["probe"], duplicates), undone=tuple(self._undone(problem)),
        )  # fmt: skip

    def _problem(self, examples: Examples, asked: Task) -> Problem:
        units = flat(examples, asked, self.unseen_classes)
        for split in ("train", "dev", "test"):
            if split not in units.split:
                raise BadInput(f"{examples.source} has no {split} rows for {asked.name}; raise probe.data.limit")
        return problem_of(units, examples, asked.positive, self.seed)

    def _levels(self, fitting: Fitting, activations: Activations, levels: Sequence[Level], title: str) -> ProbedLevels:
        """Probes at every level, and the block among them that does best on dev; the lower one of two equals."""
        problem, fits = fitting.problem, fitting(activations, levels, title)
        dev = [scored(problem, "dev", fit.dev_predicted, fit.dev_margin, draws=self.draws) for fit in fits]
        metric, blocks = metric_of(problem.n_classes), [i for i, fit in enumerate(fits) if fit.level.layer is not None]
        return ProbedLevels(fits, dev, max(blocks, key=lambda i: dev[i].scores[metric].value))

    def _read(
        self, problem: Problem, activations: Activations, own: ProbedLevels, labellings: Labellings
    ) -> tuple[dict[str, Scored], Controls]:
        """The probe's answers on test, the embedding's, and those under labels that mean nothing.

        Control tasks are read at the same block; shuffled labels choose theirs, on their own dev labels.
        """
        rows = lru_cache(1)(activations.level)

        def read(fit: LevelFit, probe: LinearProbe, labels: np.ndarray | None = None) -> Scored:
            return scored_on_test(problem, rows(fit.level.hook_name), probe, labels, self.draws)

        test = {"probe": read(own.chosen, own.chosen.probe)}
        controls = []
        for number, (kind, labels) in enumerate(labellings):
            fit = own.chosen if kind == CONTROL else max(own.fits[1:], key=lambda one: one.control_dev[number])
            controls.append((kind, read(fit, fit.controls[number], labels)))
        return test | {"embed": read(own.fits[0], own.fits[0].probe)}, controls

    def _surface(self, problem: Problem, asked: Task, split: str) -> dict[str, Scored]:
        """Answers without the model, on one split."""
        answers = surface_answers(problem, split, capital=asked.capital)
        return {name: scored(problem, split, given, draws=self.draws) for name, given in answers.items()}

    def _equals(self, own: ProbedLevels, metric: str) -> list[int] | None:
        """Levels not shown to be worse than the best, by the score that chose it; None where that has no value."""
        tallies = [one.tallies[metric] for one in own.dev]
        return confidence_set(tallies, self.draws) if np.isfinite(tallies[0].value) else None

    def _leads(self, test: Mapping[str, Scored], controls: Controls, metric: str) -> list[Lead]:
        """How far the probe is ahead of everything that lacks the information."""
        rivals = {who: s.tallies[metric] for who, s in test.items() if who != "probe"}
        for kind in dict.fromkeys(kind for kind, _ in controls):
            rivals[kind] = mean_of_tallies([s.tallies[metric] for k, s in controls if k == kind])
        return leads(test["probe"].tallies[metric], rivals, self.draws)

    def _selectivity(self, probe: Scored, controls: Controls) -> Estimate | None:
        tasks = [s.tallies["accuracy"] for name, s in controls if name == CONTROL]
        return difference(probe.tallies["accuracy"], mean_of_tallies(tasks), self.draws) if tasks else None

    def _bits(self, problem: Problem, activations: Activations, fit: LevelFit, labels: np.ndarray) -> float:
        """Online code length of some labels at one level."""
        sample = problem.sample(activations.level(fit.level.hook_name))
        return online_code(sample, torch.from_numpy(problem.of("train", labels)), problem.n_classes)

    def _subsets(self, problem: Problem, probe: Scored, duplicates: Duplicates) -> dict[str, Estimate]:
        """Accuracy on parts of test: seen and unseen words, and without texts that train has too."""
        copied = np.isin(problem.of("test", problem.units.example), duplicates.example[duplicates.exact])
        seen, right = problem.of("test", problem.seen), probe.predicted == problem.of("test", problem.labels)
        parts = {"without_duplicates": ~copied} | ({"seen": seen, "unseen": ~seen} if problem.unit == "word" else {})
        return {
            name: estimate(mean_of(1.0 * right[part], clusters_of(problem.clusters("test")[part]), 0, 1), self.draws)
            for name, part in parts.items()
            if part.any()
        }

    def _undone(self, problem: Problem) -> Iterator[str]:
        if self.code_length and self.method != "logistic":
            yield f"No online code length: {self.method} gives no probabilities."
        if problem.unit == "text" and self.control_seeds:
            yield "No control task: it needs words that recur, and here whole texts are labelled."

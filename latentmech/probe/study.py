"""`ProbeStudy`: what each layer encodes, and what of that the controls explain."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from latentmech.activations import Activations, ActivationStore, all_of
from latentmech.data import Duplicates, Task, cross_split_duplicates
from latentmech.model import Model, levels_of, within
from latentmech.probe.account import account_of
from latentmech.probe.findings import ProbedLevels, ProbeFindings
from latentmech.probe.fitting import Fitting
from latentmech.probe.kept import SAID, kept_by
from latentmech.probe.methods import method_of
from latentmech.probe.problem import CONTROL, Labellings, Problem, posed
from latentmech.probe.scores import Scored, scored
from latentmech.probe.settings import ProbeSettings
from latentmech.probe.surface import surface_answers
from latentmech.report import Report
from latentmech.statistics import Estimate, clusters_of, estimate, mean_of


@dataclass(frozen=True, kw_only=True)
class ProbeStudy(ProbeSettings):
    """Linear probes at every level, with the controls beside them."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Fit, choose on dev, read test once, and report."""
        model, store = store.opened(model)
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> ProbeFindings:
        """Everything that the report is made of."""
        store.check_study(self)
        model, store = store.opened(model)
        examples, asked = within(model, self.data()), self.asked()
        problem = posed(asked, examples, self.unseen_classes, self.seed)
        levels, position = levels_of(model.n_layers, self.site, self.layers), f"{problem.unit}_{self.position}"
        labellings = problem.labellings(self.control_seeds, self.shuffles, self.seed)
        keep = partial(kept_by, store, examples=examples, levels=levels, position=position, labellings=labellings)
        if store.shard is not None:  # whoever has a share does it for model and twin alike
            both = [model, self._twin(model)] if self.random_init else [model]
            all_of(*(partial(keep, problem=problem, model=one) for one in both))
        kept = keep(problem=problem, model=model)
        problem, activations = kept.problem, kept.activations
        fitting = Fitting(
            method=method_of(self.method, self.strengths), problem=problem,
            controls=[labels for _, labels in labellings], class_weight=self.class_weight,
            with_code=self.code_length and self.method == "logistic", memory_gib=self.memory_gib,
            moments=kept.moments,
        )  # fmt: skip

        def probed(fitting: Fitting, activations: Activations, title: str) -> ProbedLevels:
            fits = fitting(activations, levels, title)
            return ProbedLevels(problem, lru_cache(1)(activations.level), fits, self.draws)

        own = probed(fitting, activations, model.name)
        test = {"probe": own.on_test(own.chosen, own.chosen.probe)}
        controls = list(_controls(own, labellings))
        test |= {"embed": own.on_test(own.fits[0], own.fits[0].probe)} | self._surface(problem, asked, "test")
        first, twin = labellings[:1] if own.coded else [], None
        codes = {kind: own.bits(labels) for kind, labels in first}
        if self.random_init:
            fresh = keep(problem=problem, model=self._twin(model))
            bare = replace(fitting, controls=(), with_code=False, moments=fresh.moments)
            twin = probed(bare, fresh.activations, f"{model.name} (random init)")
            test["random_init"] = twin.on_test(twin.chosen, twin.chosen.probe)
            if own.coded:
                codes["random_init"] = twin.bits(problem.labels)
        duplicates = cross_split_duplicates(examples)
        summed = kept.moments is not None
        shared = [SAID] if summed else problem.shared(activations.level(own.chosen.level.hook_name))
        return ProbeFindings(
            task=asked.name, model=model.name, site=self.site, position=self.position, method=self.method,
            path=len(fitting.method.path), examples=examples, duplicates=duplicates,
            problem=problem, own=own, twin=twin, test=test, controls=controls, codes=codes,
            baselines_dev=self._surface(problem, asked, "dev"),
            subsets=self._subsets(problem, test["probe"], duplicates), undone=(*shared, *self._undone(problem)),
        )  # fmt: skip

    def _twin(self, model: Model) -> Model:
        """The same architecture with fresh weights."""
        return replace(model, random_init=True, seed=self.seed)

    def _surface(self, problem: Problem, asked: Task, split: str) -> dict[str, Scored]:
        """Answers without the model, on one split."""
        answers = surface_answers(problem, split, capital=asked.capital)
        return {name: scored(problem, split, given, draws=self.draws) for name, given in answers.items()}

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


def _controls(own: ProbedLevels, labellings: Labellings) -> Iterator[tuple[str, Scored]]:
    """Control tasks are read at the probe's block; shuffled labels choose theirs, on their own dev labels."""
    for number, (kind, labels) in enumerate(labellings):
        fit = own.chosen if kind == CONTROL else max(own.fits[1:], key=lambda one: one.control_dev[number])
        yield kind, own.on_test(fit, fit.controls[number], labels)

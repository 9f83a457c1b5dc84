"""`ProbeStudy`: what each layer encodes, and what of that the controls explain."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, Duplicates, Examples, Task, cross_split_duplicates, flat, task
from latentmech.errors import BadInput
from latentmech.model import POSITIONS, Level, Model, levels_of
from latentmech.probe.findings import (
    Answers,
    Findings,
    Scores,
    answers_on_test,
    best_block,
    dev_scores,
    equal_levels,
)
from latentmech.probe.fitting import Fitting, LevelFit
from latentmech.probe.methods import Method, method_of
from latentmech.probe.presentation import present
from latentmech.probe.problem import Problem, problem_of
from latentmech.probe.scores import evaluate, metric_of
from latentmech.probe.surface import surface_answers
from latentmech.report import Report
from latentmech.statistics import Estimate, bootstrap_mean


@dataclass(frozen=True, kw_only=True)
class ProbeStudy:
    """Linear probes at every level, with the controls beside them.

    The layer and the strength of the penalty are chosen on dev; test is read once, at the chosen layer.

    Attributes:
        task: `pos`, `proper_noun`, `number`, `tense` or `entity`; `column`, or a name of your own, beside `column`.
        column: any label column of the data, such as a FEATS key or a field of a JSONL file.
        positive: with `column`, this label against all others.
        data: the corpus.
        site: hook point in every block: `resid_post`, `resid_pre`, `resid_mid`, `attn_out` or `mlp_out`.
        layers: `all`, or block numbers; the embedding is always there.
        position: `last`, `first` or `mean` of a word's sub-words (of a text's tokens, if texts are labelled).
        method: `logistic`, `ridge`, `lda` or `mass_mean`.
        strengths: penalties to try; default the method's own path.
        class_weight: None, or `balanced`.
        unseen_classes: `error`, or `drop` what train has never seen from dev and test.
        random_init: probe the same architecture with fresh weights too.
        control_seeds: how many control tasks (Hewitt & Liang 2019).
        shuffles: how many shuffles of the training labels.
        code_length: compute the online code length (Voita & Titov 2020).
        draws: bootstrap resamples of documents.
        seed: of control labels, shuffles, the order of documents and the twin's weights.
        memory_gib: levels are solved together as long as their rows stay below this.
    """

    task: str = "pos"
    column: str | None = None
    positive: str | None = None
    data: Corpus = field(default_factory=Corpus)
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    position: str = "last"
    method: str = "logistic"
    strengths: Sequence[float] | None = None
    class_weight: str | None = None
    unseen_classes: Literal["error", "drop"] = "error"
    random_init: bool = True
    control_seeds: int = 5
    shuffles: int = 1
    code_length: bool = True
    draws: int = 1000
    seed: int = 0
    memory_gib: float = 1.0

    def __post_init__(self) -> None:
        method_of(self.method, self.strengths)
        levels_of(1, self.site, "all")
        self.asked()
        _check_choice("position", self.position, POSITIONS)
        _check_choice("class_weight", self.class_weight, (None, "balanced"))
        for name, least in (("control_seeds", 0), ("shuffles", 0), ("draws", 100)):
            if getattr(self, name) < least:
                raise BadInput(f"probe.{name}={getattr(self, name)} is too small; expected at least {least}")

    def asked(self) -> Task:
        """The task as data."""
        if self.column is None and self.task == "column":
            raise BadInput("probe.column is not set; name a column of the data: probe.column=Degree")
        if self.column is None:
            return task(self.task)
        name = self.column if self.task == "column" else self.task
        return replace(task(name, self.column), positive=self.positive)

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Fit, choose on dev, read test once, and report."""
        examples = self.data()
        problem = self._problem(examples)
        levels = levels_of(model.n_layers, self.site, self.layers)
        unit = "word" if problem.units.word[0] >= 0 else "text"
        position = f"{unit}_{self.position}"
        findings = self._findings(model, store, examples, problem, levels, position)
        duplicates = cross_split_duplicates(examples)
        findings = replace(findings, subsets=self._subsets(findings, duplicates))
        return present(self, findings, model, examples, duplicates)

    def _problem(self, examples: Examples) -> Problem:
        asked = self.asked()
        units = flat(examples, asked, self.unseen_classes)
        for split in ("train", "dev", "test"):
            if split not in units.split:
                raise BadInput(f"{examples.source} has no {split} rows for {asked.name}; raise probe.data.limit")
        return problem_of(units, examples, asked.positive, self.seed)

    def _findings(
        self,
        model: Model,
        store: ActivationStore,
        examples: Examples,
        problem: Problem,
        levels: Sequence[Level],
        position: str,
    ) -> Findings:
        activations = store.get(model, examples, levels, position)
        labellings = self._control_labellings(problem, position)
        fits = self._fitting(problem, [labels for _, labels in labellings])(activations, levels, model.name)
        dev, metric = dev_scores(problem, fits, self.draws), metric_of(problem.n_classes)
        best = best_block(fits, dev, metric)
        answers = {
            "probe": answers_on_test(problem, activations, fits[best].probe, self.draws),
            "embed": answers_on_test(problem, activations, fits[0].probe, self.draws),
        }
        findings = Findings(
            problem=problem,
            fits=fits,
            dev=dev,
            best=best,
            equals=equal_levels(problem, fits, self.draws),
            test=answers | self._baselines(problem, "test"),
            baselines_dev={name: a.scores for name, a in self._baselines(problem, "dev").items()},
            controls=self._control_scores(problem, activations, fits[best], labellings),
        )
        return self._with_twin(findings, model, store, examples, levels, position) if self.random_init else findings

    def _fitting(self, problem: Problem, controls: Sequence[np.ndarray]) -> Fitting:
        return Fitting(
            method=self._method,
            problem=problem,
            controls=controls,
            class_weight=self.class_weight,
            with_code=self.code_length and self.method == "logistic",
            memory_gib=self.memory_gib,
        )

    @property
    def _method(self) -> Method:
        return method_of(self.method, self.strengths)

    def _control_labellings(self, problem: Problem, position: str) -> list[tuple[str, np.ndarray]]:
        """Name and labels of every control; a control task needs words that occur more than once."""
        n_tasks = self.control_seeds if position.startswith("word") else 0
        tasks = [("control_task", problem.control_labels(self.seed + i)) for i in range(n_tasks)]
        return tasks + [("shuffled", problem.shuffled_labels(self.seed + i)) for i in range(self.shuffles)]

    def _control_scores(
        self, problem: Problem, activations: Activations, fit: LevelFit, labellings: Sequence[tuple[str, np.ndarray]]
    ) -> list[tuple[str, Estimate]]:
        return [
            (name, answers_on_test(problem, activations, probe, self.draws, labels).scores["accuracy"])
            for (name, labels), probe in zip(labellings, fit.controls, strict=True)
        ]

    def _with_twin(
        self,
        findings: Findings,
        model: Model,
        store: ActivationStore,
        examples: Examples,
        levels: Sequence[Level],
        position: str,
    ) -> Findings:
        """The same architecture with fresh weights, its layer chosen on dev likewise."""
        problem = findings.problem
        twin = replace(model, random_init=True, seed=self.seed)
        activations = store.get(twin, examples, levels, position)
        fitting = replace(self._fitting(problem, ()), with_code=False)
        fits = fitting(activations, levels, f"{model.name} (random init)")
        dev = dev_scores(problem, fits, self.draws)
        best = best_block(fits, dev, findings.metric)
        answers = answers_on_test(problem, activations, fits[best].probe, self.draws)
        test = {**findings.test, "random_init": answers}
        return replace(findings, twin=fits, twin_dev=dev, twin_best=best, test=test)

    def _baselines(self, problem: Problem, split: str) -> dict[str, Answers]:
        """Answers without the model, on one split."""
        answers = surface_answers(problem, split, proper_noun=self.task == "proper_noun")
        return {name: self._scored(problem, split, predicted) for name, predicted in answers.items()}

    def _scored(self, problem: Problem, split: str, predicted: np.ndarray) -> Answers:
        truth, clusters = problem.of(split, problem.labels), problem.clusters(split)
        scores = evaluate(predicted, truth, clusters, problem.n_classes, draws=self.draws)
        return Answers(predicted=predicted, scores=scores)

    def _subsets(self, findings: Findings, duplicates: Duplicates) -> dict[str, Scores]:
        """Test scores on parts of test: seen and unseen words, and without texts that train has too."""
        problem = findings.problem
        copied = set(duplicates.example[duplicates.exact].tolist())
        fresh = np.array([e not in copied for e in problem.of("test", problem.units.example).tolist()])
        seen = problem.of("test", problem.seen)
        parts = {"without_duplicates": fresh}
        if problem.units.word[0] >= 0:
            parts |= {"seen": seen, "unseen": ~seen}
        return {name: self._on(findings, part) for name, part in parts.items() if part.any()}

    def _on(self, findings: Findings, part: np.ndarray) -> Scores:
        problem = findings.problem
        right = findings.test["probe"].predicted == problem.of("test", problem.labels)
        clusters = np.unique(problem.clusters("test")[part], return_inverse=True)[1]
        return {"accuracy": bootstrap_mean(right[part].astype(float), clusters, self.draws)}


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        expected = ", ".join("null" if c is None else str(c) for c in choices)
        raise BadInput(f"probe.{name}={value} is unknown; expected one of {expected}")

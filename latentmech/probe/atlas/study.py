"""`AtlasStudy`: what each layer holds, for many tasks at once, over what the words alone give away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.errors import BadInput
from latentmech.model import Level, Model, levels_of
from latentmech.probe.atlas.account import account_of
from latentmech.probe.atlas.findings import AtlasFindings, AtlasRow, AtlasTransfer
from latentmech.probe.atlas.next_token import NextTokens
from latentmech.probe.atlas.settings import NEXT_TOKEN, AtlasSettings
from latentmech.probe.atlas.sources import Sources
from latentmech.probe.atlas.subject import Fitted, Subject, best_of, fit_all, grouped
from latentmech.probe.methods import method_of
from latentmech.report import Report
from latentmech.statistics import Tally, estimate

OTHER = -1  # a class that the tested set does not have
STRONGER = (100.0, 30.0, 10.0, 3.0)  # ridge penalties for sets with fewer texts than the model has dimensions


@dataclass(frozen=True, kw_only=True)
class AtlasStudy(AtlasSettings):
    """All tasks at all levels in one pass, each over what the words alone give away."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Read the data, fit every task at every level, choose on dev, read test once, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> AtlasFindings:
        """Everything that the report is made of."""
        sources, levels = Sources(asked=self, model=model), levels_of(model.n_layers, self.site, self.layers)
        subjects = sources.subjects()
        read = {id(subject.examples): subject.examples for subject in subjects}
        rows: dict[str, AtlasRow] = {}
        fitted: list[Fitted] = []
        for shared in grouped(subjects, lambda one: (id(one.examples), one.position)).values():
            for own, twin in self._fitted(model, store, shared, levels):
                rows[own.subject.name] = row_of(own, twin, self.draws)
                fitted.append(own)
        found = [rows[subject.name] for subject in subjects]
        if NEXT_TOKEN in self.tasks and not self.site.startswith("resid"):
            sources.notes.append(f"No next token: the head does not read {self.site}.")
        elif NEXT_TOKEN in self.tasks:
            found.append(self._next_token(model, store, sources.treebank, levels))
            read[id(sources.treebank)] = sources.treebank
        if not found:
            raise BadInput(f"nothing to map: {' '.join(sources.notes)}")
        return AtlasFindings(
            model=model.name, rows=found, transfers=transfers_of(fitted, rows, self.draws), data=list(read.values()),
            method=self.method, site=self.site, twin_step=self.twin_step, notes=sources.notes,
        )  # fmt: skip

    def _fitted(
        self, model: Model, store: ActivationStore, subjects: Sequence[Subject], levels: Sequence[Level]
    ) -> Iterable[tuple[Fitted, Fitted | None]]:
        """Probes of the subjects that share their activations, and those of the random-init twin."""
        examples, position = subjects[0].examples, subjects[0].position
        method = method_of(self.method, self.strengths)
        if self.method == "ridge" and self.strengths is None:
            method = replace(method, path=STRONGER + method.path)
        controls = [s.problem.labellings(self.control_seeds, self.shuffles, self.seed) for s in subjects]
        own = fit_all(store.get(model, examples, levels, position), subjects, levels, method, controls)
        if not self.random_init:
            return [(one, None) for one in own]
        few = (levels[0], *levels[1 :: self.twin_step])
        fresh = store.get(model.changed(random_init=True, seed=self.seed), examples, few, position)
        return zip(own, fit_all(fresh, subjects, few, method, [()] * len(subjects)), strict=True)

    def _next_token(
        self, model: Model, store: ActivationStore, examples: Examples, levels: Sequence[Level]
    ) -> AtlasRow:
        """The row of the output."""
        activations = store.get(model, examples, levels, "word_last")
        asked = NextTokens(model, examples)
        rows = {split: asked.sample(split, self.next_tokens, self.seed) for split in ("dev", "test")}

        def score(level: Level, split: str) -> Tally:
            return asked.by_lens(rows[split], activations.level(level.hook_name))

        dev = [score(level, "dev") for level in levels]
        readers = {"probe": score(levels[best_of(dev)], "test"), "embed": score(levels[0], "test")}
        return AtlasRow(
            name=NEXT_TOKEN, stage="output", unit="token", metric="accuracy", source=examples.source,
            documents=np.unique(asked.group[rows["dev"]]).tolist(), n_train=len(asked.rows_in("train")), levels=levels,
            dev=dev, surface=asked.by_tables(rows["dev"]), test=readers | asked.by_tables(rows["test"]),
            draws=self.draws,
        )  # fmt: skip


def row_of(own: Fitted, twin: Fitted | None, draws: int) -> AtlasRow:
    """Score all levels on dev, choose one there, and read test at it."""
    subject, rows = own.subject, own.activations.level(own.levels[-1].level.hook_name)
    surface = {split: subject.surface(split) for split in ("dev", "test")}
    probe, *controls = own.on_test(own.best)
    answers = {"probe": probe, "embed": own.on_test(0)[0]}
    if twin is not None:
        answers["random_init"] = twin.on_test(twin.best)[0]
    answers |= surface["test"]
    drawn = grouped(zip(own.labellings, controls, strict=True), lambda one: one[0][0]).items()
    return AtlasRow(
        name=subject.name, stage=subject.task.stage, unit=subject.unit, metric=subject.metric,
        source=subject.examples.source, documents=subject.documents, n_train=len(subject.problem.index["train"]),
        levels=[fit.level for fit in own.levels], dev=own.dev,
        surface={name: subject.tally("dev", said) for name, said in surface["dev"].items()},
        test={name: subject.tally("test", said) for name, said in answers.items()},
        twin={} if twin is None else dict(zip([fit.level for fit in twin.levels], twin.dev, strict=True)),
        controls={name: [subject.tally("test", said, labels) for (_, labels), said in those] for name, those in drawn},
        controls_dev=own.controls_on_dev(),
        also={name: subject.also(said) for name, said in answers.items()},
        notes=[*subject.examples.notes, *subject.problem.units.notes, *subject.problem.shared(rows)], draws=draws,
    )  # fmt: skip


def transfers_of(fitted: Sequence[Fitted], rows: Mapping[str, AtlasRow], draws: int) -> list[AtlasTransfer]:
    """Every set's probe on every set, for each task that has several.

    Does a probe read the property, or one set's way of showing it?
    """
    return [
        AtlasTransfer(
            task=task,
            names=[one.subject.data or "own" for one in sets],
            metrics=[one.subject.metric for one in sets],
            cells=[[estimate(transferred(source, target), draws) for target in sets] for source in sets],
            majority=[rows[one.subject.name].test["majority"].value for one in sets],
            notes=list(known_texts([one.subject for one in sets])),
        )
        for task, sets in grouped(fitted, lambda one: one.subject.kind).items()
        if len(sets) > 1
    ]


def transferred(source: Fitted, target: Fitted) -> Tally:
    """The test score of the source's probe, from the level that its own dev chose, on the target."""
    probe, trained, tested = source.levels[source.best].probe, source.subject, target.subject
    known = None if trained.pairing is None else trained.known(source.activations.level(probe.hook_name))
    answers = tested.answer(tested.features(target.activations.level(probe.hook_name), known), probe)
    number = {name: i for i, name in enumerate(tested.problem.classes)}
    return tested.tally("test", np.array([number.get(name, OTHER) for name in probe.classes])[answers])


def known_texts(sets: Sequence[Subject]) -> Iterator[str]:
    """Sentences on test texts of one set that another was trained on."""

    def texts(one: Subject, split: str) -> list[str]:
        return [one.examples.texts[i] for i in one.problem.of(split, one.problem.units.example).tolist()]

    for source, target in permutations(sets, 2):
        seen, asked = set(texts(source, "train")), texts(target, "test")
        if n := sum(text in seen for text in asked):
            theirs, own = target.data or "own", source.data or "own"
            yield f"{source.kind}: {n} of {len(asked)} test texts of {theirs} are training texts of {own}."

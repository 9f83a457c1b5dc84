"""`AtlasStudy`: what each layer holds, for many tasks at once, over what the words alone give away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, Pairs
from latentmech.errors import BadInput, expected
from latentmech.model import POSITIONS, Level, Model, levels_of
from latentmech.probe.atlas.fitting import Fitted, Labellings, controls_of, fit_all
from latentmech.probe.atlas.next_token import next_token
from latentmech.probe.atlas.pairing import PAIRINGS
from latentmech.probe.atlas.presentation import present
from latentmech.probe.atlas.row import AtlasRow, measured
from latentmech.probe.atlas.sources import STAGES, Sources, check_source
from latentmech.probe.atlas.subject import Subject
from latentmech.probe.atlas.transfer import Trained, matrices
from latentmech.probe.methods import Method, method_of
from latentmech.report import Report

STRONGER = (100.0, 30.0, 10.0, 3.0)  # ridge penalties for sets with fewer texts than the model has dimensions


@dataclass(frozen=True, kw_only=True)
class AtlasStudy:
    """All tasks at all levels in one pass: each set of texts runs through the model once, each level is read once.

    Layer and penalty are chosen on dev, test is read once; every score stands beside the strongest answer that needs no
    model, and the map shows the difference.

    Attributes:
        tasks: rows of the map, out of `pos`, `number`, `tense`, `proper_noun`, `entity`, `coreference`, `sentiment`,
            `truth` and `next_token`.
        extra: more rows: a name and where its texts are: CoNLL-U, JSONL or CSV with a column of that name or `label`
            (`words` for labelled words, `marked` for two mentions), `positive` and `negative`, or a bundled contrast.
        transfer: more data for a task, by its name: each set is a row, and probes trained on one are tested on all.
        data: the treebank. Tasks whose labels it lacks are read from the bundled one.
        coreference: pairs of mentions: the bundled set, GAP, WinoBias, or a JSONL with `marked` and `label`.
        sentiment: texts for sentiment.
        truth: true and false statements.
        pairings: how two mentions become one vector: `product`, `difference`, `concatenation`; a row for each.
        site: hook point in every block.
        layers: `all`, or block numbers; the embedding is always there.
        position: `last`, `first` or `mean` of a word's sub-words.
        text_position: the same of a text's tokens.
        method: `ridge`, `lda`, `logistic` or `mass_mean`.
        strengths: penalties to try; default the method's own path.
        unseen_classes: `drop` from dev and test what train has never seen, or `error`.
        random_init: measure the same architecture with fresh weights too.
        twin_step: of this twin, the embedding and every so many blocks.
        control_seeds: how many control tasks, for words (Hewitt & Liang 2019).
        shuffles: how many shuffles of the training labels.
        next_tokens: words of dev, and of test, whose next token is asked at every level.
        draws: bootstrap resamples of documents.
        seed: of control labels, shuffles, samples and the twin's weights.
    """

    tasks: Sequence[str] = tuple(STAGES)
    extra: Mapping[str, str] | None = None
    transfer: Mapping[str, Sequence[str]] | None = None
    data: Corpus = field(default_factory=Corpus)
    coreference: Corpus = field(default_factory=lambda: Corpus(name="coreference"))
    sentiment: Pairs = field(default_factory=lambda: Pairs(name="sentiment"))
    truth: Pairs = field(default_factory=lambda: Pairs(name="truth"))
    pairings: Sequence[str] = PAIRINGS
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    position: str = "last"
    text_position: str = "last"
    method: str = "ridge"
    strengths: Sequence[float] | None = None
    unseen_classes: Literal["drop", "error"] = "drop"
    random_init: bool = True
    twin_step: int = 3
    control_seeds: int = 2
    shuffles: int = 1
    next_tokens: int = 600
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        _ = self._method
        levels_of(1, self.site, "all")
        _check_all("tasks", self.tasks, tuple(STAGES))
        _check_all("pairings", self.pairings, PAIRINGS)
        _check_all("position", [self.position], POSITIONS)
        _check_all("text_position", [self.text_position], POSITIONS)
        _check_all("unseen_classes", [self.unseen_classes], ("drop", "error"))
        _check_all("transfer", self.transfer or {}, tuple(set(STAGES) - {"next_token"}))
        for name, where in (self.extra or {}).items():
            check_source(f"extra.{name}", where)
        for name, places in (self.transfer or {}).items():
            for where in [places] if isinstance(places, str) else places:
                check_source(f"transfer.{name}", where)
        for name, least in (
            ("control_seeds", 0),
            ("shuffles", 0),
            ("next_tokens", 1),
            ("twin_step", 1),
            ("draws", 100),
        ):
            if getattr(self, name) < least:
                raise BadInput(f"probe.{name}={getattr(self, name)} is too small; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Read the data, fit every task at every level, choose on dev, read test once, and report."""
        sources, levels = Sources(self), levels_of(model.n_layers, self.site, self.layers)
        subjects = sources.subjects()
        rows: dict[str, AtlasRow] = {}
        trained: list[Trained] = []
        for shared in _collections(subjects):
            for fitted, row, activations in self._measured(model, store, shared, levels):
                rows[row.name] = row
                trained.append(Trained(fitted, activations, row.best))
        found = [rows[subject.name] for subject in subjects]
        if self._reads_the_output:
            found.append(self._next_token(model, store, sources, levels))
        if not found:
            raise BadInput(f"nothing to map: {' '.join(sources.notes)}")
        return present(self, found, matrices(trained, self.draws), model, sources)

    @property
    def _method(self) -> Method:
        method = method_of(self.method, self.strengths)
        longer = self.method == "ridge" and self.strengths is None
        return replace(method, path=STRONGER + method.path) if longer else method

    @property
    def _reads_the_output(self) -> bool:
        return "next_token" in self.tasks and self.site.startswith("resid")

    def _measured(
        self, model: Model, store: ActivationStore, subjects: Sequence[Subject], levels: Sequence[Level]
    ) -> Iterable[tuple[Fitted, AtlasRow, Activations]]:
        """The rows that share their activations."""
        examples, position = subjects[0].examples, subjects[0].position
        activations = store.get(model, examples, levels, position)
        controls = [controls_of(s, self.control_seeds, self.shuffles, self.seed) for s in subjects]
        own = fit_all(activations, subjects, levels, self._method, controls)
        if not self.random_init:
            return [(f, measured(f, activations, None, self.draws), activations) for f in own]
        few = (levels[0], *levels[1 :: self.twin_step])
        fresh = store.get(replace(model, random_init=True, seed=self.seed), examples, few, position)
        none: list[Labellings] = [()] * len(subjects)
        twins = fit_all(fresh, subjects, few, self._method, none)
        return [
            (f, measured(f, activations, (twin, fresh), self.draws), activations)
            for f, twin in zip(own, twins, strict=True)
        ]

    def _next_token(self, model: Model, store: ActivationStore, sources: Sources, levels: Sequence[Level]) -> AtlasRow:
        activations = store.get(model, sources.data, levels, "word_last")
        return next_token(model, sources.data, activations, levels, self.next_tokens, self.draws, self.seed)


def _collections(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Subjects that read the same positions of the same texts, together."""
    found: dict[tuple[int, str], list[Subject]] = {}
    for subject in subjects:
        found.setdefault((id(subject.examples), subject.position), []).append(subject)
    return list(found.values())


def _check_all(name: str, values: Iterable[object], choices: Sequence[str]) -> None:
    if isinstance(values, str):
        raise BadInput(f"probe.{name}={values} is one name; expected a list, such as probe.{name}=[{values}]")
    for value in values:
        if value not in choices:
            raise BadInput(f"probe.{name}: {value} is unknown; {expected(str(value), choices)}")

"""`AtlasRow`: one task at every level, with the answers that it must beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from latentmech.activations import Activations
from latentmech.model import Level
from latentmech.probe.atlas.fitting import Fitted, predicted_on_test
from latentmech.probe.atlas.resampling import Resampled, resampled
from latentmech.statistics import Estimate


@dataclass(frozen=True, kw_only=True)
class AtlasRow:
    """What was measured of one task.

    Attributes:
        name: the row's name.
        stage: `syntax`, `semantics`, `output` or `own`.
        unit: `word`, `text`, `pair` or `token`.
        metric: `accuracy` or `f1`.
        source: where the data came from.
        n_train: training units.
        levels: the levels, embedding first.
        dev: scores on dev of every level, then of every baseline.
        readers: who is scored on test: `probe`, `embed`, perhaps `random_init`, then the baselines.
        test: their scores.
        baselines: names of the answers without the model.
        twin: dev scores of the random-init twin at `twin_levels`, if there is one.
        twin_levels: those of its levels that were measured.
        controls_dev: for each kind of control its mean accuracy at every level.
        controls_test: the same at the chosen level, a number for each seed.
        accuracy_dev: the probe's accuracy at every level, which controls compare with.
        accuracy_test: the same at the chosen level.
        notes: what was left out of the data.
    """

    name: str
    stage: str
    unit: str
    metric: str
    source: str
    n_train: int
    levels: Sequence[Level]
    dev: Resampled
    readers: Sequence[str]
    test: Resampled
    baselines: Sequence[str]
    twin: Resampled | None = None
    twin_levels: Sequence[Level] = ()
    controls_dev: Mapping[str, Sequence[float]] = field(default_factory=dict)
    controls_test: Mapping[str, Sequence[float]] = field(default_factory=dict)
    accuracy_dev: Sequence[float] = ()
    accuracy_test: float = float("nan")
    notes: Sequence[str] = ()

    @cached_property
    def best(self) -> int:
        """The level with the highest dev score; the lower one of two equals."""
        return best_of(self.dev, len(self.levels))

    @cached_property
    def equals(self) -> list[int]:
        """Levels not shown to be worse than the best on dev."""
        return self.dev.not_worse(self.best, range(len(self.levels)))

    @cached_property
    def floor(self) -> int:
        """Place in `dev` of the strongest baseline."""
        n = len(self.levels)
        return n + int(self.dev.values[n:].argmax())

    @property
    def gains(self) -> Float[np.ndarray, " level"]:
        """Dev scores minus the strongest baseline's."""
        return self.dev.values[: len(self.levels)] - self.dev.values[self.floor]

    @property
    def gain_draws(self) -> Float[np.ndarray, "draw level"]:
        """The same under each bootstrap draw of documents."""
        return self.dev.draws[:, : len(self.levels)] - self.dev.draws[:, [self.floor]]

    @cached_property
    def rival(self) -> str:
        """The strongest baseline on test."""
        return max(self.baselines, key=lambda name: self.on_test(name).value)

    @cached_property
    def gain(self) -> Estimate:
        """On test: the probe minus the strongest baseline, paired."""
        return self.test.difference(self.readers.index("probe"), self.readers.index(self.rival))

    def on_test(self, reader: str) -> Estimate:
        """A reader's score on test."""
        return self.test.estimate(self.readers.index(reader))


def depth(level: Level) -> int:
    """0 is the embedding, k the output of block k - 1."""
    return 0 if level.layer is None else level.layer + 1


def best_of(scores: Resampled, n_levels: int) -> int:
    """Index of the best of the first `n_levels`."""
    return int(scores.values[:n_levels].argmax())


def measured(
    fitted: Fitted, activations: Activations, twin: tuple[Fitted, Activations] | None, n_draws: int
) -> AtlasRow:
    """Score all levels on dev, choose one there, and read test at it."""
    subject, fits = fitted.subject, fitted.levels
    problem, metric = subject.problem, subject.metric
    labels, clusters = problem.of("dev", problem.labels), problem.clusters("dev")
    surface = subject.surface("dev")
    answers = [fit.dev_predicted for fit in fits]
    dev = resampled([*answers, *surface.values()], labels, clusters, metric, n_draws)
    best = fits[best_of(dev, len(fits))]
    twin_dev, twin_levels = None, []
    own, *controls = predicted_on_test(subject, activations, [best.probe, *best.controls])
    (embed,) = predicted_on_test(subject, activations, [fits[0].probe])
    readers = {"probe": own, "embed": embed}
    if twin is not None:
        twin_fits = twin[0].levels
        twin_levels = [fit.level for fit in twin_fits]
        twin_dev = resampled([fit.dev_predicted for fit in twin_fits], labels, clusters, metric, n_draws)
        chosen = twin_fits[best_of(twin_dev, len(twin_fits))]
        (readers["random_init"],) = predicted_on_test(twin[0].subject, twin[1], [chosen.probe])
    readers |= subject.surface("test")
    truth = problem.of("test", problem.labels)
    return AtlasRow(
        name=subject.name,
        stage=subject.stage,
        unit=subject.unit,
        metric=metric,
        source=subject.examples.source,
        n_train=len(problem.index["train"]),
        levels=[fit.level for fit in fits],
        dev=dev,
        readers=list(readers),
        test=resampled(list(readers.values()), truth, problem.clusters("test"), metric, n_draws),
        baselines=list(surface),
        twin=twin_dev,
        twin_levels=twin_levels,
        controls_dev=_controls_dev(fitted),
        controls_test=_controls_test(fitted, controls),
        accuracy_dev=[float((a == labels).mean()) for a in answers],
        accuracy_test=float((own == truth).mean()),
        notes=[*subject.examples.notes, *problem.units.notes],
    )


def _controls_dev(fitted: Fitted) -> dict[str, list[float]]:
    """Mean over seeds, by the name of the control."""
    names = [name for name, _ in fitted.labellings]
    return {
        name: [
            float(np.mean([v for n, v in zip(names, f.control_dev, strict=True) if n == name])) for f in fitted.levels
        ]
        for name in dict.fromkeys(names)
    }


def _controls_test(fitted: Fitted, predicted: Sequence[np.ndarray]) -> dict[str, list[float]]:
    problem = fitted.subject.problem
    found: dict[str, list[float]] = {}
    for (name, labels), answers in zip(fitted.labellings, predicted, strict=True):
        found.setdefault(name, []).append(float((answers == problem.of("test", labels)).mean()))
    return found

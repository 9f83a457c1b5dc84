"""What an atlas has found: every task at every level beside its rivals, the order of the stages, transfer.

A task is read better than without the model if its probe is ahead, by a paired interval on test, of every rival that
lacks the information. How many tasks are is a claim about all of them, so it is corrected among them (Holm 1979); tasks
over few groups are not counted. Where a task arrives, and whether it has, is decided on dev alone: at some level it
must be ahead of the answers without the model and of the random-init twin, corrected among the levels. The embedding is
no rival there: what it holds already arrives at 0.

Tenney et al. (2019, "BERT rediscovers the classical NLP pipeline") place a task at the layer at which its score is
expected to rise. Here, with G_k the largest gain up to depth k (0 the embedding, 1 the last block that was measured; no
gain counts as 0), a task arrives at

    sum_k k (G_k - G_(k-1)) / G_last

which is 0 for what the embedding holds already. The peak says less: many tasks end in a plateau, and its top is luck.
A noisy curve goes on rising by luck, so a task with few rows seems to arrive later than it does; its interval is wide
for the same reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from latentmech.data import Examples
from latentmech.model import Level
from latentmech.probe.atlas.subject import best_of
from latentmech.probe.findings import CONTROL
from latentmech.probe.scores import mean_of_tallies
from latentmech.statistics import (
    FEWEST,
    Estimate,
    Lead,
    Tally,
    beats,
    closest,
    confidence_set,
    difference,
    estimate,
    holm,
    leads,
    low_p,
    over_seeds,
)

SURE = 0.025  # one-sided, for all levels together (Bonferroni): that of the best has to stand
ORDER = ("syntax", "semantics", "output")


@dataclass(frozen=True, kw_only=True)
class AtlasRow:
    """What was measured of one task.

    Attributes:
        stage: `syntax`, `semantics`, `output` or `own`.
        unit: `word`, `text`, `pair` or `token`.
        metric: `accuracy`, or `balanced_accuracy` for two classes.
        documents: groups of dev, in the order of their numbers.
        levels: embedding first.
        dev: the score of every level on dev.
        surface: the same of every answer without the model.
        test: scores on test of `probe`, `embed`, perhaps `random_init`, and of the answers without the model.
        twin: dev scores of those levels of the random-init twin that were measured.
        controls: for each kind of control its scores on test at the chosen level, one for each seed.
        controls_dev: for each kind its mean accuracy on dev at every level.
        also: of the same readers, scores on test that decide nothing.
        notes: what was left out of the data.
    """

    name: str
    stage: str
    unit: str
    metric: str
    source: str
    documents: Sequence[str]
    n_train: int
    levels: Sequence[Level]
    dev: Sequence[Tally]
    surface: Mapping[str, Tally]
    test: Mapping[str, Tally]
    twin: Mapping[Level, Tally] = field(default_factory=dict)
    controls: Mapping[str, Sequence[Tally]] = field(default_factory=dict)
    controls_dev: Mapping[str, Sequence[float]] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    draws: int = 1000

    @cached_property
    def best(self) -> int:
        """The level with the highest dev score; the lower one of two equals."""
        return best_of(self.dev)

    @property
    def peak(self) -> Level:
        """That level."""
        return self.levels[self.best]

    @cached_property
    def equals(self) -> list[int] | None:
        """Levels not shown to be worse than the best on dev; None where there are too few groups to tell."""
        return confidence_set(self.dev, self.draws)

    @cached_property
    def floor(self) -> Tally:
        """The strongest answer without the model on dev."""
        answers = list(self.surface.values())
        return answers[best_of(answers)]

    @cached_property
    def gains(self) -> Float[np.ndarray, " level"]:
        """Dev scores minus that."""
        return np.array([score.value for score in self.dev]) - self.floor.value

    def gain_at(self, index: int) -> Estimate:
        """One of them with its interval."""
        return difference(self.dev[index], self.floor, self.draws)

    def of(self, score: Tally) -> Estimate:
        """A score with its interval."""
        return estimate(score, self.draws)

    @cached_property
    def on_test(self) -> dict[str, Estimate]:
        """Every reader's score on test."""
        return {name: self.of(score) for name, score in self.test.items()}

    @cached_property
    def leads(self) -> list[Lead]:
        """How far the probe is ahead, on test, of every rival that lacks the information; the strongest rival first."""
        rivals = {name: score for name, score in self.test.items() if name != "probe"}
        rivals |= {name: mean_of_tallies(scores) for name, scores in self.controls.items()}
        return leads(self.test["probe"], rivals, self.draws)

    @property
    def nearest(self) -> Lead:
        """The rival that comes nearest, or stands in the way."""
        return closest(self.leads)

    @property
    def selectivity(self) -> Estimate:
        """How far the probe is ahead of the control task (Hewitt & Liang 2019); NaN where there is none."""
        return next((lead.difference for lead in self.leads if lead.rival == CONTROL), Estimate(float("nan")))

    def control(self, name: str) -> Estimate:
        """Score of one kind of control on test, over its seeds; NaN if there is none."""
        return over_seeds(score.value for score in self.controls.get(name, ()))

    @cached_property
    def has_arrived(self) -> bool:
        """Whether the task gains at some level: on dev, over all that lack the information, corrected among levels."""
        twin = list(self.twin.values())
        rivals = sorted([*self.surface.values(), *(twin[best_of(twin)] for _ in twin[:1])], key=lambda r: -r.value)
        return any(
            all(low_p(score, rival) <= SURE / len(self.dev) for rival in rivals)
            for score in sorted(self.dev, key=lambda score: -score.value)
        )

    @cached_property
    def place(self) -> Tally:
        """Where its gain appears, whether or not it is clear, as a score of its own: from 0 to 1."""

        def by(w: Float[np.ndarray, "draw group"]) -> Float[np.ndarray, " draw"]:
            return arrivals(self.levels, np.stack([one.by(w) for one in self.dev], axis=1) - self.floor.by(w)[:, None])

        return Tally(by, self.floor.n, self.floor.groups)

    @cached_property
    def arrival(self) -> Estimate:
        """Where its gain appears; NaN for a task that has not arrived."""
        return self.of(self.place) if self.has_arrived else Estimate(float("nan"))


@dataclass(frozen=True)
class AtlasStage:
    """Tasks of one part of language that have arrived, and the mean of where they do."""

    name: str
    rows: Sequence[AtlasRow]

    @cached_property
    def documents(self) -> list[str]:
        """All that its tasks are read from."""
        return sorted({document for row in self.rows for document in row.documents})

    def place(self, documents: Sequence[str]) -> Tally:
        """Where it arrives, as a score of these documents."""
        return mean_arrival([(row.place, row.documents) for row in self.rows], documents)

    @cached_property
    def arrival(self) -> Estimate:
        """Where it arrives."""
        return estimate(self.place(self.documents), self.rows[0].draws)

    def delay(self, later: "AtlasStage") -> Estimate:
        """How much deeper another stage arrives, paired where both read the same documents."""
        documents = sorted({*self.documents, *later.documents})
        return difference(later.place(documents), self.place(documents), self.rows[0].draws)


@dataclass(frozen=True)
class AtlasTransfer:
    """Test scores of every set's probe (row) on every set (column), each probe at its own level.

    Attributes:
        task: with its pairing.
        names: of the data sets.
        metrics: how each is scored.
        cells: scores, with their interval over the tested set's documents.
        majority: what the commonest class of each column's train part scores on it.
        notes: where a probe has been trained on texts that it is tested on.
    """

    task: str
    names: Sequence[str]
    metrics: Sequence[str]
    cells: Sequence[Sequence[Estimate]]
    majority: Sequence[float]
    notes: Sequence[str] = ()

    @property
    def values(self) -> Float[np.ndarray, "trained tested"]:
        """The scores alone."""
        return np.array([[cell.value for cell in row] for row in self.cells])


@dataclass(frozen=True, kw_only=True)
class AtlasFindings:
    """Everything measured.

    Attributes:
        data: every set of texts that was read.
        twin_step: of the twin, the embedding and every so many blocks were measured.
        notes: what the data could not pose.
    """

    model: str
    rows: Sequence[AtlasRow]
    transfers: Sequence[AtlasTransfer]
    data: Sequence[Examples]
    method: str
    site: str
    twin_step: int
    notes: Sequence[str] = ()

    @property
    def counted(self) -> list[AtlasRow]:
        """Rows over enough groups."""
        return [row for row in self.rows if row.test["probe"].groups >= FEWEST]

    @cached_property
    def shown(self) -> list[AtlasRow]:
        """Those of them that are read better than without the model, corrected among them."""
        stands = holm([max(lead.p for lead in row.leads) for row in self.counted])
        return [row for row, one in zip(self.counted, stands, strict=True) if one and beats(row.leads)]

    @cached_property
    def stages(self) -> list[AtlasStage]:
        """The stages that have a task which has arrived, in the order of the claim."""
        arrived = {name: [row for row in self.rows if row.stage == name and row.has_arrived] for name in ORDER}
        return [AtlasStage(name, rows) for name, rows in arrived.items() if rows]

    def not_after(self) -> list[tuple[AtlasStage, AtlasStage]]:
        """Neighbours in the order of which the second does not clearly arrive deeper than the first."""
        return [(a, b) for a, b in pairwise(self.stages) if not a.delay(b).ci_low > 0]


def arrivals(levels: Sequence[Level], gains: Float[np.ndarray, "draw level"]) -> Float[np.ndarray, " draw"]:
    """The formula, draw by draw; NaN for a draw in which no level gains."""
    depths = np.array([depth(level) for level in levels]) / max(depth(levels[-1]), 1)
    risen = np.maximum.accumulate(gains.clip(min=0), axis=1)
    steps, last = np.diff(risen, axis=1, prepend=0), risen[:, -1]
    return np.where(last > 0, steps @ depths / np.maximum(last, 1e-12), np.nan)


def mean_arrival(tasks: Sequence[tuple[Tally, Sequence[str]]], documents: Sequence[str]) -> Tally:
    """The mean over several tasks, which may be read from different documents, as a score of all documents.

    Args:
        tasks: each task's arrival, and the documents that its groups are, in their order.
        documents: sorted; those of all tasks are among them.
    """
    places = [np.searchsorted(documents, own) for _, own in tasks]

    def by(w: Float[np.ndarray, "draw group"]) -> Float[np.ndarray, " draw"]:
        return np.mean([tally.by(w[:, place]) for (tally, _), place in zip(tasks, places, strict=True)], axis=0)

    return Tally(by, sum(tally.n for tally, _ in tasks), len(documents))


def depth(level: Level) -> int:
    """0 is the embedding, k the output of block k - 1."""
    return 0 if level.layer is None else level.layer + 1

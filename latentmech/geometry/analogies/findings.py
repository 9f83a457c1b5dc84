"""What an analogies study found: every space's answers, with intervals over pairs, and what each offset beats."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from latentmech.geometry.analogies.offsets import SpaceAnswers
from latentmech.geometry.analogies.questions import RIGHT, Asked, Questions
from latentmech.geometry.analogies.settings import AnalogiesSettings
from latentmech.statistics import Estimate, Lead, Tally, beats, clusters_of, estimate, holm, leads, mean_of, over_seeds

RANDOM = "random"
RIVALS = {
    "3cosadd": ("no_offset", "only_b"),
    "3cosmul": ("no_offset", "only_b"),
    "mean_offset": ("no_offset_alone", "mean_b", "other_relation"),
}
"""What each offset has to beat, no offset first, beside random offsets: the same candidates are left out for all."""
NAMES = {
    "3cosadd": "3CosAdd",
    "3cosmul": "3CosMul",
    "no_offset": "no offset (same questions)",
    "only_b": "only b",
    "mean_offset": "mean offset",
    "no_offset_alone": "no offset (asked once)",
    "mean_b": "only the mean b",
    "other_relation": "another relation's offset",
    RANDOM: "random offsets",
}
METRICS = (*RIGHT, "kept_top1")
ADDS, TAKES, UNSHOWN = "adds", "takes away", "not shown to add"
DOES = {ADDS: "adds something", TAKES: "takes something away", UNSHOWN: "is not shown to add anything"}

Mask = Bool[np.ndarray, " pair"]


@dataclass(frozen=True)
class ShownAnalogy:
    """One example by 3CosAdd: its nearest words, the query words left out, and the rank of the expected one."""

    query: str
    expected: str
    rank: int
    nearest: tuple[str, ...]
    nearest_to_c: tuple[str, ...]


@dataclass(frozen=True)
class SpaceResult:
    """One space, by its name in metrics and on an axis; `layer` is None but for a block."""

    name: str
    tick: str
    layer: int | None
    role: str
    answers: SpaceAnswers
    shown: tuple[ShownAnalogy, ...] = ()

    @property
    def place(self) -> str:
        """As a sentence names it."""
        return self.name if self.layer is None else f"block {self.tick}"

    def values(self, method: str, metric: str = "top1") -> Float[np.ndarray, " pair"]:
        """One of `METRICS`, pair by pair."""
        return self.answers.ranks[method].per_pair(metric.removeprefix("kept_"), metric.startswith("kept_"))

    def rivals(self, method: str) -> dict[str, Float[np.ndarray, " pair"]]:
        """Top-1 of what an offset has beside it in this space, pair by pair, by its readable name."""
        found = {NAMES[name]: self.values(name) for name in RIVALS[method] if name in self.answers.ranks}
        hits = self.answers.random.get(method)
        return found if hits is None or not len(hits) else found | {NAMES[RANDOM]: hits.mean(0)}


@dataclass(frozen=True, kw_only=True)
class AnalogiesFindings:
    """Everything measured, of the pairs of all relations (`relation` is None) and of each one's.

    Attributes:
        results: static vectors first, then embedding, blocks, unembedding.
        twin: the same of the random-init twin; empty if switched off.
    """

    settings: AnalogiesSettings
    asked: Asked
    results: Sequence[SpaceResult]
    twin: Sequence[SpaceResult]

    @property
    def questions(self) -> Questions:
        """What was asked, by place."""
        return self.asked.questions

    @property
    def blocks(self) -> list[SpaceResult]:
        """The results that belong to blocks."""
        return [result for result in self.results if result.layer is not None]

    @property
    def of_model(self) -> list[SpaceResult]:
        """The results of the model itself, from the embedding up."""
        return [result for result in self.results if result.role != "static"]

    @cached_property
    def best(self) -> SpaceResult | None:
        """The block with the highest top-1 by 3CosAdd: chosen on the data that it is reported on."""
        return max(self.blocks, key=lambda result: self.estimate(result, "3cosadd").value, default=None)

    @cached_property
    def prominent(self) -> list[SpaceResult]:
        """Static vectors, embedding, best block, unembedding."""
        return [result for result in self.results if result.layer is None or result is self.best]

    def estimate(self, result: SpaceResult, method: str, metric: str = "top1", relation: int | None = None) -> Estimate:
        """One of `METRICS` averaged over pairs, with its interval over first words."""
        return self._estimates[relation, result.name, method, metric]

    def leads(self, result: SpaceResult, method: str, relation: int | None = None) -> list[Lead]:
        """How far the top-1 of an offset is ahead of each of its rivals, pair by pair."""
        return self._leads[relation, result.name, method]

    def over_none(self, result: SpaceResult, method: str, relation: int | None = None) -> Lead:
        """How far an offset is ahead of no offset."""
        name = NAMES[RIVALS[method][0]]
        return next(lead for lead in self.leads(result, method, relation) if lead.rival == name)

    def verdict(self, result: SpaceResult, method: str, relation: int | None = None) -> str:
        """`ADDS` if an offset beats all rivals, `TAKES` if no offset is clearly better, else `UNSHOWN`."""
        if beats(self.leads(result, method, relation)):
            return ADDS
        return TAKES if self.over_none(result, method, relation).behind else UNSHOWN

    def at_best(self, method: str) -> str:
        """The verdict on the best block, which was chosen on these very pairs: that among all blocks at once."""
        layer = self.best.layer if self.best else None
        return next((verdict for verdict, layers in self.over_blocks(method).items() if layer in layers), UNSHOWN)

    def over_blocks(self, method: str) -> dict[str, list[int]]:
        """Verdict -> blocks; to add something must stand among all blocks at once (Holm)."""
        stands = holm([max(lead.p for lead in self.leads(one, method)) for one in self.blocks])
        found: dict[str, list[int]] = {verdict: [] for verdict in DOES}
        for one, clear in zip(self.blocks, stands, strict=True):
            verdict = self.verdict(one, method)
            found[UNSHOWN if verdict == ADDS and not clear else verdict].append(one.layer or 0)
        return found

    def random_p95(self, result: SpaceResult, method: str) -> Estimate | None:
        """Top-1 of random offsets: the 95th percentile of the draws, between the smallest and the largest."""
        hits = result.answers.random.get(method, np.empty((0, 0)))
        return replace(over_seeds(hits.mean(1)), value=float(np.percentile(hits.mean(1), 95))) if len(hits) else None

    def rows(self) -> Iterator[tuple[SpaceResult, str, int | None, str, Estimate]]:
        """Every estimate: which space, method, relation and metric (`gain` is that over no offset)."""
        for number, one, _, methods, metrics in self._asked():
            for method in methods:
                yield from ((one, method, number, of, self.estimate(one, method, of, number)) for of in metrics)
            yield from ((one, of, number, "gain", self.over_none(one, of, number).difference) for of in RIVALS)

    @cached_property
    def _estimates(self) -> dict[tuple[int | None, str, str, str], Estimate]:
        return {
            (number, one.name, of, metric): estimate(self._tally(one.values(of, metric), part), self.settings.draws)
            for number, one, part, methods, metrics in self._asked()
            for of in methods
            for metric in metrics
        }

    @cached_property
    def _leads(self) -> dict[tuple[int | None, str, str], list[Lead]]:
        found = {}
        for number, one, part, _, _ in self._asked():
            for method in RIVALS:
                rivals = {name: self._tally(values, part) for name, values in one.rivals(method).items()}
                own = self._tally(one.values(method), part)
                found[number, one.name, method] = leads(own, rivals, self.settings.draws)
        return found

    def _asked(self) -> Iterator[tuple[int | None, SpaceResult, Mask, Collection[str], Sequence[str]]]:
        """Every space with all pairs, by all methods; by top-1 of the offsets the twin, and each relation's pairs."""
        every = np.ones(len(self.questions.first), dtype=bool)
        yield from ((None, one, every, one.answers.ranks, METRICS) for one in self.results)
        yield from ((None, one, every, RIVALS, ("top1",)) for one in self.twin)
        for number in range(len(self.questions.names)):
            part = self.questions.relation.numpy() == number
            yield from ((number, one, part, RIVALS, ("top1",)) for one in self.results)

    def _tally(self, values: Float[np.ndarray, " pair"], part: Mask) -> Tally:
        return mean_of(values[part], clusters_of(self.questions.clusters[part]), 0, 1)

"""What an analogies study found: every space's answers, with intervals over pairs and paired differences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from latentmech.geometry.analogies.answering import RIVAL, Answers
from latentmech.geometry.analogies.asked import Asked
from latentmech.geometry.analogies.questions import RIGHT, Questions
from latentmech.statistics import Estimate, bootstrap_means

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Shown:
    """One example by 3CosAdd: its nearest words, the query words left out, and the rank of the expected one."""

    query: str
    expected: str
    rank: int
    nearest: tuple[str, ...]
    nearest_to_c: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """One space, by its name in metrics and on an axis; `layer` is None but for a block."""

    name: str
    tick: str
    layer: int | None
    role: str
    answers: Answers
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything measured.

    Attributes:
        results: static vectors first, then embedding, blocks, unembedding.
        twin: the same of the random-init twin; empty if switched off.
    """

    asked: Asked
    questions: Questions
    results: Sequence[Result]
    twin: Sequence[Result]
    draws: int

    @property
    def blocks(self) -> list[Result]:
        """The results that belong to blocks."""
        return [result for result in self.results if result.layer is not None]

    @property
    def own(self) -> list[Result]:
        """The results of the model itself, from the embedding up."""
        return [result for result in self.results if result.role != "static"]

    @cached_property
    def best(self) -> Result | None:
        """The block with the highest top-1 by 3CosAdd: chosen on the data that it is reported on."""
        return max(self.blocks, key=lambda result: self.estimate(result, "3cosadd").value, default=None)

    @cached_property
    def prominent(self) -> list[Result]:
        """Static vectors, embedding, best block, unembedding."""
        return [result for result in self.results if result.layer is None or result is self.best]

    def estimate(self, result: Result, method: str, metric: str = "top1", relation: int | None = None) -> Estimate:
        """A metric averaged over pairs (of one relation), with its interval over first words.

        Args:
            metric: one of `RIGHT`; `kept_top1`, with the query words among the candidates; or `gain`, top-1 with the
                offset minus top-1 of its rival, pair by pair.
        """
        return self._estimates[relation][result.name, method, metric]

    def of_relation(self, number: int) -> Bool[np.ndarray, " pair"]:
        """The asked pairs of one relation."""
        return self.questions.relation.numpy() == number

    @cached_property
    def _estimates(self) -> dict[int | None, dict[Key, Estimate]]:
        """By relation (None for all), then by space, method and metric."""
        keys, values = zip(*self._values(), strict=True)
        table = np.stack(values)
        parts: dict[int | None, np.ndarray] = {None: np.ones(table.shape[1], dtype=bool)}
        parts |= {number: self.of_relation(number) for number in range(len(self.questions.names))}
        return {
            number: dict(zip(keys, bootstrap_means(table[:, part], self._clusters(part), self.draws), strict=True))
            for number, part in parts.items()
        }

    def _clusters(self, part: Bool[np.ndarray, " pair"]) -> np.ndarray:
        return np.unique(self.questions.clusters[part], return_inverse=True)[1]

    def _values(self) -> Iterator[tuple[Key, Float[np.ndarray, " pair"]]]:
        """Every metric of every method in every space, pair by pair."""
        for result in (*self.results, *self.twin):
            ranks = result.answers.ranks
            for method, own in ranks.items():
                for metric in RIGHT:
                    yield (result.name, method, metric), own.per_pair(metric)
                yield (result.name, method, "kept_top1"), own.per_pair("top1", kept=True)
            for method, rival in RIVAL.items():
                yield (result.name, method, "gain"), ranks[method].per_pair("top1") - ranks[rival].per_pair("top1")


def verdict(gain: Estimate) -> str:
    """What a paired difference says about an offset."""
    if gain.ci_low > 0:
        return "adds"
    return "takes away" if gain.ci_high < 0 else "not shown to add"

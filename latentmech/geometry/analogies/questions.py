"""Analogy questions as places in a list of candidates, and the rank of the right answer among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import Analogies

CHUNK = 1024  # questions that are ranked at once
RIGHT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "top1": lambda rank: (rank <= 1).astype(float),
    "top5": lambda rank: (rank <= 5).astype(float),
    "reciprocal_rank": lambda rank: 1 / rank,
}


@dataclass(frozen=True)
class Questions:
    """a is to b as c is to what? All entries are places in the list of candidates; the data's words come first.

    Attributes:
        a, b, c, answer: per question.
        pair: which of the asked pairs it asks for.
        first, second, relation: of each asked pair; the relation is a place in `names`.
        names: of the relations.
        clusters: of each asked pair: what is resampled together.
        n_words: how many of the candidates are words of the data.
    """

    a: Int[Tensor, " question"]
    b: Int[Tensor, " question"]
    c: Int[Tensor, " question"]
    answer: Int[Tensor, " question"]
    pair: Int[Tensor, " question"]
    first: Int[Tensor, " pair"]
    second: Int[Tensor, " pair"]
    relation: Int[Tensor, " pair"]
    names: tuple[str, ...]
    clusters: Int[np.ndarray, " pair"]
    n_words: int


@dataclass(frozen=True)
class Ranks:
    """The rank of the right answer, 1 being the best; another word that scores the same counts as better.

    Attributes:
        left_out: with the query words left out of the candidates, as is usual.
        kept: with them.
        pair: the asked pair of each question.
    """

    left_out: Int[np.ndarray, " question"]
    kept: Int[np.ndarray, " question"]
    pair: Int[np.ndarray, " question"]

    def per_pair(self, metric: str, kept: bool = False) -> Float[np.ndarray, " pair"]:
        """The metric of each asked pair, averaged over the examples that it was asked with."""
        values = RIGHT[metric](self.kept if kept else self.left_out)
        return np.bincount(self.pair, values) / np.bincount(self.pair)


def questions_of(analogies: Analogies, candidates: Sequence[str]) -> Questions:
    """The questions that have an answer: one that is a query word itself could never be given."""
    place = {word: i for i, word in enumerate(candidates)}
    first, second = (torch.tensor([place[w] for w in words]) for words in (analogies.first, analogies.second))
    source, target = torch.from_numpy(analogies.questions).T
    query_words = torch.stack([first[source], second[source], first[target]])
    fair = (second[target] != query_words).all(0)
    source, target = source[fair], target[fair]
    asked, pair = target.unique(return_inverse=True)
    names, kind = np.unique(np.array(analogies.relation, dtype=object)[asked.numpy()], return_inverse=True)
    return Questions(
        a=first[source],
        b=second[source],
        c=first[target],
        answer=second[target],
        pair=pair,
        first=first[asked],
        second=second[asked],
        relation=torch.from_numpy(kind),
        names=tuple(names),
        clusters=np.unique(analogies.clusters[asked.numpy()], return_inverse=True)[1],
        n_words=len(analogies.words),
    )


def ranked(
    scores: Float[Tensor, "question candidate"],
    answer: Int[Tensor, " question"],
    query_words: Int[Tensor, "question word"],
) -> tuple[Int[Tensor, " question"], Int[Tensor, " question"]]:
    """Rank of each answer with the query words left out, and with them kept."""
    own = scores.gather(1, answer[:, None])
    kept = (scores >= own).sum(1)
    ahead = scores.gather(1, query_words) >= own
    for i in range(1, query_words.shape[1]):  # a word that is given twice is left out once
        ahead[:, i] &= (query_words[:, i : i + 1] != query_words[:, :i]).all(1)
    return kept - ahead.sum(1), kept

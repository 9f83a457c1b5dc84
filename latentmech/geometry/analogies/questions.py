"""Which words are asked of every space, the questions as places among the candidates, and the ranks of the answers."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.data import Analogies, common_words, with_company
from latentmech.geometry.analogies.settings import AnalogiesSettings
from latentmech.geometry.spaces import WordSpace, in_template, tokens_of
from latentmech.model import Model, WordVectors
from latentmech.statistics import clusters_of

RIGHT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "top1": lambda rank: (rank <= 1).astype(float),
    "top5": lambda rank: (rank <= 5).astype(float),
    "reciprocal_rank": lambda rank: 1 / rank,
}
Places = Int[Tensor, " question"]


@dataclass(frozen=True)
class Questions:
    """a is to b as c is to what? All entries are places in the list of candidates; the data's words come first.

    Attributes:
        a, b, c, answer: per question.
        pair: which of the asked pairs it asks for.
        first, second, relation: of each asked pair; the relation is a place in `names`.
        clusters: of each asked pair, the same where the first word is: what is resampled together.
        n_words: how many of the candidates are words of the data.
    """

    a: Places
    b: Places
    c: Places
    answer: Places
    pair: Places
    first: Int[Tensor, " pair"]
    second: Int[Tensor, " pair"]
    relation: Int[Tensor, " pair"]
    names: tuple[str, ...]
    clusters: Int[np.ndarray, " pair"]
    n_words: int


@dataclass(frozen=True)
class Asked:
    """What every space is asked.

    Attributes:
        analogies: the pairs whose words every space has.
        candidates: among which an answer is looked for; the words of the pairs come first.
        single: how many words of the pairs are a single token.
        static: the static vectors of the candidates.
    """

    analogies: Analogies
    candidates: tuple[str, ...]
    single: int
    static: WordSpace | None

    @cached_property
    def questions(self) -> Questions:
        """What is asked, by place."""
        return questions_of(self.analogies, self.candidates)


@dataclass(frozen=True)
class AnswerRanks:
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


def asked(model: Model, settings: AnalogiesSettings, static: WordVectors | None) -> Asked:
    """Leave out, for all spaces, what one of them lacks; words of the examples are candidates whatever the pairs are.

    Common words are too, if they are none of the others in other letters.
    """
    analogies, beside = settings.data(), ([w for e in settings.examples for w in e.split()], settings.common)
    vectors = {} if static is None else static(_candidates(analogies, *beside))
    if static is not None:
        analogies = _left(analogies, vectors, f"{static.name} has no vector for one of their words")
    tokens = tokens_of(model, in_template(analogies.words, settings.template))
    short = {word for word, ids in zip(analogies.words, tokens, strict=True) if len(ids) == 1}
    if settings.single_token:
        analogies = _left(analogies, short, "one of their words has several tokens")
    single = sum(word in short for word in analogies.words)
    candidates = _candidates(analogies, *beside)
    if static is None:
        return Asked(analogies, candidates, single, None)
    candidates = tuple(word for word in candidates if word in vectors)
    rows = torch.stack([vectors[word] for word in candidates])
    return Asked(analogies, candidates, single, WordSpace(static.name, static.name, rows, "static"))


def _candidates(analogies: Analogies, examples: Sequence[str], common: int | None) -> tuple[str, ...]:
    wanted = [*analogies.words, *examples]
    folded = {word.lower() for word in wanted}
    return tuple(dict.fromkeys([*wanted, *(word for word in common_words()[:common] if word not in folded)]))


def _left(analogies: Analogies, known: Collection[str], why: str) -> Analogies:
    """The pairs of known words, with a note on the others."""
    kept = with_company(analogies.where(lambda i: analogies.first[i] in known and analogies.second[i] in known))
    dropped = len(analogies) - len(kept)
    note = f"{dropped} of {len(analogies)} pairs were left out for every space: {why}"
    return replace(kept, notes=(*kept.notes, note)) if dropped else kept


def questions_of(analogies: Analogies, candidates: Sequence[str]) -> Questions:
    """The questions that have an answer: one that is a query word itself could never be given."""
    place = {word: i for i, word in enumerate(candidates)}
    first, second = (torch.tensor([place[w] for w in words]) for words in (analogies.first, analogies.second))
    source, target = torch.from_numpy(analogies.questions).T
    query_words = torch.stack([first[source], second[source], first[target]])
    fair = (second[target] != query_words).all(0)
    source, target = source[fair], target[fair]
    pairs, pair = target.unique(return_inverse=True)
    names, kind = np.unique(np.array(analogies.relation, dtype=object)[pairs.numpy()], return_inverse=True)
    return Questions(
        a=first[source], b=second[source], c=first[target], answer=second[target], pair=pair,
        first=first[pairs], second=second[pairs], relation=torch.from_numpy(kind), names=tuple(names),
        clusters=clusters_of(analogies.clusters[pairs.numpy()]), n_words=len(analogies.words),
    )  # fmt: skip


def ranked(
    scores: Float[Tensor, "question candidate"], answer: Places, query_words: Int[Tensor, "question word"]
) -> tuple[Places, Places]:
    """Rank of each answer with the query words left out, and with them kept."""
    right = scores.gather(1, answer[:, None])
    kept = (scores >= right).sum(1)
    ahead = scores.gather(1, query_words) >= right
    for i in range(1, query_words.shape[1]):  # a word that is given twice is left out once
        ahead[:, i] &= (query_words[:, i : i + 1] != query_words[:, :i]).all(1)
    return kept - ahead.sum(1), kept

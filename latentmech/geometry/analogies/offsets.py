"""Analogy by vector arithmetic: a is to b as c is to what? Scores of every candidate v, from similarities alone.

All vectors have length 1, so that a product is a cosine:

3CosAdd      cos(v, b) - cos(v, a) + cos(v, c), which ranks as cos(v, b - a + c) does (Mikolov et al. 2013, "Linguistic
             regularities in continuous space word representations")
3CosMul      s(v, b) s(v, c) / (s(v, a) + e) with s = (1 + cos) / 2 and e = 1e-6 (Levy & Goldberg 2014, "Linguistic
             regularities in sparse and explicit word representations", eq. 5)
mean offset  cos(v, c + mean of (b - a) over the relation's other pairs) (Drozd et al. 2016, "3CosAvg"). The pair that
             is asked is never in the mean.

and what they have to beat (Linzen 2016, "Issues in evaluating semantic spaces using word analogies"):

no offset    cos(v, c): the answer is simply the nearest word to c
only b       cos(v, b); beside the mean offset, the mean over the other pairs' b: an answer of b's kind, whatever c is

That an offset finds the answer does not show that a model computes with it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.geometry.analogies.questions import AnswerRanks, Questions, ranked

Places = Int[Tensor, " question"]
Rule = Callable[[Places, Places, Places], Float[Tensor, "question candidate"]]
EPSILON = 1e-6


def cos_add(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """3CosAdd: scores from the places of a, b and c."""
    return lambda a, b, c: cosine[b] - cosine[a] + cosine[c]


def cos_mul(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """3CosMul, as a sum of logarithms."""
    shifted = (1 + cosine.clamp(-1, 1)) / 2
    times, over = shifted.clamp(min=1e-30).log(), (shifted + EPSILON).log()
    return lambda a, b, c: times[b] + times[c] - over[a]


def no_offset(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """Nearest to c."""
    return lambda a, b, c: cosine[c]  # noqa: ARG005 - a and b are what it does not look at


def only_b(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """Nearest to b."""
    return lambda a, b, c: cosine[b]  # noqa: ARG005


def relation_means(values: Float[Tensor, "pair any"], relation: Int[Tensor, " pair"]) -> Float[Tensor, "relation any"]:
    """The mean over the pairs of each relation."""
    counts = torch.bincount(relation)
    return _sums(values, relation) / counts[:, None]


def others_mean(values: Float[Tensor, "pair any"], relation: Int[Tensor, " pair"]) -> Float[Tensor, "pair any"]:
    """For each pair, the mean over the other pairs of its relation; zero for a pair that is alone."""
    others = (torch.bincount(relation)[relation, None] - 1).clamp(min=1)
    return (_sums(values, relation)[relation] - values) / others


def _sums(values: Float[Tensor, "pair any"], relation: Int[Tensor, " pair"]) -> Float[Tensor, "relation any"]:
    sums = torch.zeros(int(relation.max()) + 1, values.shape[1], dtype=values.dtype)
    return sums.index_add_(0, relation, values)


Vectors = Float[Tensor, "candidate d"]
CHUNK = 1024  # questions that are ranked at once
BY_EXAMPLE = {"3cosadd": cos_add, "3cosmul": cos_mul, "no_offset": no_offset, "only_b": only_b}


@dataclass(frozen=True)
class SpaceAnswers:
    """What the methods make of one space.

    Attributes:
        ranks: by method: `3cosadd`, `3cosmul`, `no_offset` and `only_b`, asked with every example and without a, b
            and c among the candidates; `mean_offset`, `no_offset_alone`, `mean_b` and `other_relation` (the mean
            offsets of the other relations), asked once and without c.
        random: by `3cosadd` and `mean_offset`, which pairs random offsets of the same length find.
    """

    ranks: Mapping[str, AnswerRanks]
    random: Mapping[str, Bool[np.ndarray, "draw pair"]]


def answers_in(vectors: Vectors, questions: Questions, n_random: int, seed: int) -> SpaceAnswers:
    """Ask everything of the candidates' vectors, which have length 1."""
    cosine = vectors[: questions.n_words] @ vectors.T
    ranks = {name: by_example(method(cosine), questions) for name, method in BY_EXAMPLE.items()}
    ranks |= dict(by_relation(cosine, questions))
    return SpaceAnswers(ranks, random_offsets(vectors, cosine, questions, n_random, seed))


def by_example(rule: Rule, questions: Questions) -> AnswerRanks:
    """Ranks of a rule that looks at one example pair, a piece of the questions at a time."""
    found = []
    for part in torch.arange(len(questions.a)).split(CHUNK):
        a, b, c = questions.a[part], questions.b[part], questions.c[part]
        found.append(ranked(rule(a, b, c), questions.answer[part], torch.stack([a, b, c], 1)))
    left_out, kept = (torch.cat(pieces).numpy() for pieces in zip(*found, strict=True))
    return AnswerRanks(left_out, kept, questions.pair.numpy())


def by_relation(cosine: Float[Tensor, "word candidate"], questions: Questions) -> Iterator[tuple[str, AnswerRanks]]:
    """Ranks of what looks at the whole relation, the asked pair excepted, and of its rivals."""
    own, relation = cosine[questions.first], questions.relation
    seconds = cosine[questions.second]
    yield "mean_offset", _alone(own + others_mean(seconds - own, relation), questions)
    yield "no_offset_alone", _alone(own, questions)
    yield "mean_b", _alone(others_mean(seconds, relation), questions)
    offsets = relation_means(seconds - own, relation)
    if len(offsets) > 1:
        wrong = [(relation + step) % len(offsets) for step in range(1, len(offsets))]
        found = [_alone(own + offsets[other], questions) for other in wrong]
        joined = (np.concatenate([getattr(one, name) for one in found]) for name in ("left_out", "kept", "pair"))
        yield "other_relation", AnswerRanks(*joined)


def _alone(scores: Float[Tensor, "pair candidate"], questions: Questions) -> AnswerRanks:
    left_out, kept = ranked(scores, questions.second, questions.first[:, None])
    return AnswerRanks(left_out.numpy(), kept.numpy(), np.arange(len(questions.first)))


def random_offsets(
    vectors: Vectors, cosine: Float[Tensor, "word candidate"], questions: Questions, n_random: int, seed: int
) -> dict[str, Bool[np.ndarray, "draw pair"]]:
    """Which pairs random offsets find in place of the true ones, as long as they are, each pair with its own draw."""
    generator = torch.Generator().manual_seed(seed)
    own, n = cosine[questions.first], len(questions.first)
    step = vectors[questions.second] - vectors[questions.first]
    mean_length = others_mean(step, questions.relation).norm(dim=1, keepdim=True)
    example_length = (vectors[questions.b] - vectors[questions.a]).norm(dim=1, keepdim=True)
    hits: dict[str, list[np.ndarray]] = {"3cosadd": [], "mean_offset": []}
    for _ in range(n_random):
        drawn = torch.nn.functional.normalize(torch.randn(n, vectors.shape[1], generator=generator), dim=1)
        aside = drawn @ vectors.T
        hits["mean_offset"].append(_alone(own + mean_length * aside, questions).left_out == 1)
        shuffled = torch.randperm(len(questions.pair), generator=generator)
        asked = torch.empty(n, dtype=torch.int64)  # for each pair, one of its questions
        asked[questions.pair[shuffled]] = shuffled
        query = torch.stack([questions.a[asked], questions.b[asked], questions.c[asked]], 1)
        rank, _ = ranked(own + example_length[asked] * aside, questions.second, query)
        hits["3cosadd"].append((rank == 1).numpy())
    return {name: np.array(drawn, dtype=bool).reshape(-1, n) for name, drawn in hits.items()}

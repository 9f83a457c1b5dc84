"""Every method and baseline on every question of one space."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.geometry.analogies.offsets import Rule, cos_add, cos_mul, no_offset, only_b, others_mean, relation_means
from latentmech.geometry.analogies.questions import AnswerRanks, Questions, ranked

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


def answers_in(vectors: Float[Tensor, "candidate d"], questions: Questions, n_random: int, seed: int) -> SpaceAnswers:
    """Ask everything.

    Args:
        vectors: of the candidates, of length 1.
        n_random: draws of random offsets.
    """
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
        yield "other_relation", _other_relations(own, offsets, questions)


def _other_relations(
    own: Float[Tensor, "pair candidate"], offsets: Float[Tensor, "relation candidate"], questions: Questions
) -> AnswerRanks:
    """Each pair asked with the mean offset of every relation but its own."""
    found = []
    for step in range(1, len(offsets)):
        wrong = (questions.relation + step) % len(offsets)
        found.append(_alone(own + offsets[wrong], questions))
    return AnswerRanks(*(np.concatenate([getattr(r, name) for r in found]) for name in ("left_out", "kept", "pair")))


def _alone(scores: Float[Tensor, "pair candidate"], questions: Questions) -> AnswerRanks:
    left_out, kept = ranked(scores, questions.second, questions.first[:, None])
    return AnswerRanks(left_out.numpy(), kept.numpy(), np.arange(len(questions.first)))


def random_offsets(
    vectors: Float[Tensor, "candidate d"],
    cosine: Float[Tensor, "word candidate"],
    questions: Questions,
    n_random: int,
    seed: int,
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
        asked = _one_example(questions, generator)
        query = torch.stack([questions.a[asked], questions.b[asked], questions.c[asked]], 1)
        rank, _ = ranked(own + example_length[asked] * aside, questions.second, query)
        hits["3cosadd"].append((rank == 1).numpy())
    return {name: np.array(drawn, dtype=bool).reshape(-1, n) for name, drawn in hits.items()}


def _one_example(questions: Questions, generator: torch.Generator) -> Tensor:
    """For each asked pair, one of its questions at random."""
    shuffled = torch.randperm(len(questions.pair), generator=generator)
    chosen = torch.empty(len(questions.first), dtype=torch.int64)
    chosen[questions.pair[shuffled]] = shuffled
    return chosen

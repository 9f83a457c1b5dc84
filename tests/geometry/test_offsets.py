"""Offsets against gensim, and against arithmetic done by hand."""

import numpy as np
import pytest
import torch
from gensim.models import KeyedVectors

from latentmech.data import WordPairs
from latentmech.data.analogies import Analogies, all_questions
from latentmech.geometry.analogies.offsets import (
    answers_in,
    by_example,
    by_relation,
    cos_add,
    cos_mul,
    no_offset,
    only_b,
    others_mean,
    random_offsets,
    relation_means,
)
from latentmech.geometry.analogies.questions import questions_of, ranked
from latentmech.geometry.similarity import prepared

WORDS = [f"w{i}" for i in range(60)]


def cloud(seed=0, n=60, d=12):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def analogies(n=10):
    relation = tuple("xy"[i % 2] for i in range(n))
    first, second = tuple(WORDS[:n]), tuple(WORDS[n : 2 * n])
    return Analogies(first=first, second=second, relation=relation, questions=all_questions(relation))


@pytest.fixture
def keyed():
    vectors = KeyedVectors(vector_size=12)
    vectors.add_vectors(WORDS, cloud().numpy())
    return vectors


def asked():
    vectors, questions = prepared(cloud(), "cosine"), questions_of(analogies(), WORDS)
    return vectors, vectors[: questions.n_words] @ vectors.T, questions


@pytest.mark.parametrize(("method", "theirs"), [(cos_add, "most_similar"), (cos_mul, "most_similar_cosmul")])
def test_the_ranks_are_gensims(method, theirs, keyed):
    _, cosine, q = asked()
    ranks = by_example(method(cosine), q)
    assert len(ranks.left_out) == 40
    for i in range(len(q.a)):
        a, b, c, answer = (WORDS[int(x[i])] for x in (q.a, q.b, q.c, q.answer))
        order = [word for word, _ in getattr(keyed, theirs)(positive=[b, c], negative=[a], topn=60)]
        assert ranks.left_out[i] == order.index(answer) + 1


def test_3cosadd_is_the_cosine_to_the_sum(keyed):
    _, cosine, q = asked()
    scores = cos_add(cosine)(q.a, q.b, q.c)
    unit = prepared(cloud(), "cosine")
    target = torch.nn.functional.normalize(unit[q.b] - unit[q.a] + unit[q.c], dim=1)
    assert torch.equal(scores.argsort(1), (target @ unit.T).argsort(1))


def test_query_words_are_left_out_once_and_ties_count_against():
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0, 2.0]])
    left_out, kept = ranked(scores, torch.tensor([3]), torch.tensor([[0, 1, 1]]))
    assert (left_out.item(), kept.item()) == (3, 5)  # ahead without 0 and 1: place 2, and 4, which scores the same


def test_the_mean_offset_leaves_the_asked_pair_out():
    values, relation = cloud(1, 6, 4), torch.tensor([0, 0, 0, 1, 1, 1])
    expected = torch.stack(
        [values[[j for j in range(6) if j != i and relation[j] == relation[i]]].mean(0) for i in range(6)]
    )
    torch.testing.assert_close(others_mean(values, relation), expected)


def test_a_pair_that_is_alone_has_no_others_and_every_relation_its_mean():
    values, relation = cloud(1, 4, 3), torch.tensor([0, 1, 0, 0])
    assert torch.equal(others_mean(values, relation)[1], torch.zeros(3))
    torch.testing.assert_close(relation_means(values, relation), torch.stack([values[[0, 2, 3]].mean(0), values[1]]))


def test_3cosmul_is_its_formula_even_where_a_points_away():
    cosine = torch.tensor([[-1.0, 0.2], [0.5, -0.4], [0.8, 0.1]])
    at = [torch.tensor([i]) for i in range(3)]
    a, b, c = (1 + cosine) / 2
    torch.testing.assert_close(cos_mul(cosine)(*at)[0], (b * c / (a + 1e-6)).log(), rtol=1e-4, atol=1e-4)


def test_the_baselines_look_at_the_one_word_that_they_name():
    cosine, places = cloud(1, 6, 9), (torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([4, 5]))
    assert torch.equal(no_offset(cosine)(*places), cosine[4:6])
    assert torch.equal(only_b(cosine)(*places), cosine[2:4])


def test_the_mean_offset_is_the_cosine_to_the_shifted_vector():
    vectors, cosine, q = asked()
    ranks = dict(by_relation(cosine, q))["mean_offset"]
    step = others_mean(vectors[q.second] - vectors[q.first], q.relation)
    scores = (vectors[q.first] + step) @ vectors.T
    scores[torch.arange(len(q.first)), q.first] = -torch.inf
    own = scores[torch.arange(len(q.first)), q.second]
    np.testing.assert_array_equal(ranks.left_out, (scores >= own[:, None]).sum(1).numpy())


def test_the_mean_b_is_the_mean_of_the_other_second_words():
    vectors, cosine, q = asked()
    scores = others_mean(vectors[q.second], q.relation) @ vectors.T
    every = torch.arange(len(q.first))
    scores[every, q.first] = -torch.inf
    expected = (scores >= scores[every, q.second][:, None]).sum(1)
    np.testing.assert_array_equal(dict(by_relation(cosine, q))["mean_b"].left_out, expected.numpy())


def shifted_pairs():
    """Pairs whose second word is the first plus a step of the relation, among unrelated words."""
    vectors, n = cloud(2, 60, 64), 10
    steps = 4 * cloud(3, 2, 64)
    vectors[n : 2 * n] = vectors[:n] + steps[torch.tensor([i % 2 for i in range(n)])]
    return answers_in(prepared(vectors, "cosine"), questions_of(analogies(n), WORDS), n_random=5, seed=0)


def test_a_true_offset_is_found_and_the_baselines_are_not():
    answers = shifted_pairs()
    share = {name: ranks.per_pair("top1").mean() for name, ranks in answers.ranks.items()}
    assert share["mean_offset"] == 1 and share["3cosadd"] > 0.5
    assert max(share["no_offset"], share["no_offset_alone"], share["other_relation"]) < 0.3
    assert max(answers.random[name].mean(1).max() for name in ("mean_offset", "3cosadd")) < 0.4


def test_with_the_query_words_kept_no_offset_finds_nothing():
    answers = shifted_pairs()
    assert answers.ranks["no_offset"].per_pair("top1", kept=True).max() == 0
    assert (answers.ranks["3cosadd"].kept >= answers.ranks["3cosadd"].left_out).all()


def test_random_offsets_of_no_length_are_no_offset():
    """With the second word at the first one's place, the random offset has length 0."""
    vectors = cloud(4)
    vectors[10:20] = vectors[:10]
    vectors, q = prepared(vectors, "cosine"), questions_of(analogies(), WORDS)
    cosine = vectors[: q.n_words] @ vectors.T
    hits = random_offsets(vectors, cosine, q, 3, 0)
    assert (hits["mean_offset"] == dict(by_relation(cosine, q))["no_offset_alone"].per_pair("top1")).all()
    assert (
        hits["3cosadd"].shape == (3, 10) and hits["3cosadd"].all()
    )  # the second word lies where c does, and c is left out


def test_questions_whose_answer_is_a_query_word_are_not_asked():
    pairs = Analogies(
        first=("a", "b", "c"), second=("b", "a", "d"), relation=("r",) * 3, questions=all_questions(("r",) * 3)
    )
    q = questions_of(pairs, list("abcd"))
    assert len(q.a) == 4 and {(int(a), int(c)) for a, c in zip(q.a, q.c, strict=True)} == {
        (0, 2),
        (1, 2),
        (2, 0),
        (2, 1),
    }


def test_the_bundled_pairs_have_one_answer_each():
    pairs = WordPairs()()
    assert len(pairs) == 317 and len(pairs.relations) == 11 and not pairs.notes
    for name in pairs.relations:
        own = [i for i, r in enumerate(pairs.relation) if r == name]
        assert len(own) >= 20
        assert len({pairs.first[i] for i in own}) == len({pairs.second[i] for i in own}) == len(own)


def test_a_word_that_is_its_own_answer_is_not_asked():
    pairs = Analogies(
        first=("a", "b", "s"), second=("x", "y", "s"), relation=("r",) * 3, questions=all_questions(("r",) * 3)
    )
    q = questions_of(pairs, ["a", "b", "s", "x", "y"])
    assert set(q.c.tolist()) == {0, 1} and len(q.first) == 2

"""Controls and rivals: what they must not know."""

import math

import numpy as np
import pytest
import torch
from stubbed import GROUPS, SPLITS, words_study
from test_logistic import correlated, sample_from

from latentmech.probe.online_code import online_code, uniform_code
from latentmech.probe.problem import posed
from latentmech.probe.surface import lookup, majority, surface_answers

RNG = np.random.default_rng(1)
FORMS = ["the", "dog", "the", "barks", "dog", "the", "cat"]
LABELS = np.array([0, 1, 0, 2, 1, 0, 1])


def problem_of(labels, words=None, **settings):
    """The problem of sentences with as many words as there are labels in a row."""
    words = words if words is not None else [[f"w{RNG.integers(40)}" for _ in row] for row in labels]
    study = words_study(words, labels, **settings)
    return posed(study.asked(), study.data(), study.unseen_classes, study.seed)


@pytest.fixture
def problem():
    return problem_of(RNG.choice(3, size=(len(GROUPS), 8), p=[0.6, 0.3, 0.1]))


def test_a_control_task_labels_a_word_alike_wherever_it_stands(problem):
    labels, forms = problem.control_labels(1), problem.units.form
    assert all(len(set(labels[forms == form])) == 1 for form in set(forms))
    assert len(set(labels)) > 1
    assert (labels != problem.control_labels(2)).any()


def test_control_labels_follow_the_proportions_of_the_task():
    words = [[f"w{8 * i + j}" for j in range(8)] for i in range(len(GROUPS))]
    problem = problem_of(RNG.choice(3, size=(len(GROUPS), 8), p=[0.6, 0.3, 0.1]), words)
    shares = np.bincount(problem.control_labels(0)) / len(problem.labels)
    np.testing.assert_allclose(shares, np.bincount(problem.of("train", problem.labels)) / 768, atol=0.04)


def test_words_exchange_their_labels_in_all_splits(problem):
    labels = problem.shuffled_labels(0)
    assert problem.labelled == "words"
    assert (np.bincount(labels) == np.bincount(problem.labels)).all()
    counts = [np.bincount(problem.of(split, labels), minlength=3) for split in ("train", "dev", "test")]
    true = [np.bincount(problem.of(split, problem.labels), minlength=3) for split in ("train", "dev", "test")]
    assert any((a != b).any() for a, b in zip(counts, true, strict=True))
    assert np.mean(labels == problem.labels) == pytest.approx(0.46, abs=0.05)
    assert (labels != problem.shuffled_labels(1)).any()


def test_documents_of_one_label_exchange_theirs_whole():
    kinds = RNG.permutation(np.arange(len(SPLITS)) % 3)
    problem = problem_of(np.repeat(kinds[GROUPS][:, None], 4, axis=1))
    labels, groups = problem.shuffled_labels(0), problem.units.group
    assert problem.labelled == "documents"
    assert all(len(set(labels[groups == group])) == 1 for group in set(groups))
    assert (labels != problem.labels).any()


def test_an_exchange_leaves_every_class_to_train_and_two_to_dev_and_test():
    kinds = np.zeros(len(SPLITS), dtype=int)
    kinds[[0, 20, 30]] = 1  # one document in each split
    problem = problem_of(np.repeat(kinds[GROUPS][:, None], 2, axis=1))
    rare = problem_of(np.repeat(np.where(np.arange(len(SPLITS)) == 5, 2, kinds)[GROUPS][:, None], 2, axis=1))
    for seed in range(5):
        assert len(set(rare.of("train", rare.shuffled_labels(seed)))) == 3
        labels = problem.shuffled_labels(seed)
        assert all(len(set(problem.of(split, labels))) == 2 for split in ("train", "dev", "test"))


def test_a_lookup_backs_off_to_other_answers_or_to_the_majority():
    forms = ["dog", "The", "unheard", "barks"]
    assert majority(LABELS, 3) == 0
    assert lookup(FORMS, LABELS, ["Dog"], 3).tolist() == [0]
    assert lookup(FORMS, LABELS, forms, 3, np.array([2, 2, 1, 0])).tolist() == [1, 2, 1, 2]


def test_rivals_without_the_model(problem):
    answers = surface_answers(problem, "test")
    assert set(answers) == {"majority", "lookup", "lookup_folded"}
    forms = ["Anna", "dog", "The", "dog"], ["So", "Berlin", "cat"], ["Oslo", "DOG", "rain"]
    splits = np.array(["train", "dev", "test"])
    words = [list(row) for row in forms]
    labels = [[1, 0, 0, 0], [0, 1, 0], [1, 0, 0]]
    own = problem_of(labels, words, groups=np.arange(3), splits=splits, positive="1")
    answers = surface_answers(own, "test", capital=True)
    assert set(answers) == {"majority", "always_positive", "lookup", "lookup_folded", "lookup_capitalised"}
    assert answers["always_positive"].tolist() == [1, 1, 1]
    assert answers["lookup_capitalised"].tolist() == [0, 1, 0]  # a capital says nothing at the beginning
    assert surface_answers(own, "dev", capital=True)["lookup_capitalised"].tolist() == [0, 1, 0]


def test_lower_case_is_looked_up_where_a_word_is_not():
    words = [["Dog", "dog", "dog", "sun", "sun"], ["a", "b"], ["DOG", "Dog", "moon"]]
    own = problem_of([[0, 1, 1, 0, 0], [0, 1], [1, 0, 0]], words, groups=np.arange(3), splits=["train", "dev", "test"])
    answers = surface_answers(own, "test")
    assert answers["lookup"].tolist() == [0, 0, 0]
    assert answers["lookup_folded"].tolist() == [1, 0, 0]


def test_a_learnable_labelling_has_a_short_code_and_noise_a_long_one():
    sample = sample_from(correlated(2000, 10, 1))
    learnable = (sample.train @ torch.randn(10, generator=torch.Generator().manual_seed(0)) > 0).long()
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 2000))
    short, long = (online_code(sample, y, 2) for y in (learnable, noise))
    assert short < 0.4 * uniform_code(2000, 2)
    assert 0.97 * uniform_code(2000, 2) < long < 1.2 * uniform_code(2000, 2)
    assert uniform_code(2000, 2) == 2000 * math.log2(2)

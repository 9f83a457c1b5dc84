"""Controls and baselines: what they must not know."""

import math

import numpy as np
import torch
from test_logistic import correlated, sample_from

from latentmech.probe import baselines
from latentmech.probe.controls import control_task, shuffled
from latentmech.probe.online_code import online_code, uniform_code

FORMS = ["the", "dog", "the", "barks", "dog", "the", "cat"]
LABELS = np.array([0, 1, 0, 2, 1, 0, 1])


def test_a_control_task_labels_a_word_alike_wherever_it_stands():
    labels = control_task(LABELS, FORMS * 40, 3, seed=1)
    assert all(len(set(labels[i :: len(FORMS)])) == 1 for i in range(len(FORMS)))
    assert labels[0] == labels[2] == labels[5]


def test_control_labels_follow_the_proportions_of_the_task():
    many = [f"w{i}" for i in range(20000)]
    shares = np.bincount(control_task(LABELS, many, 3, seed=0), minlength=3) / len(many)
    np.testing.assert_allclose(shares, np.bincount(LABELS) / len(LABELS), atol=0.02)


def test_control_seeds_differ():
    many = [f"w{i}" for i in range(100)]
    assert (control_task(LABELS, many, 3, 0) != control_task(LABELS, many, 3, 1)).any()


def test_shuffling_keeps_counts():
    assert (np.bincount(shuffled(LABELS, 0)) == np.bincount(LABELS)).all()


def test_lookup_backs_off_to_lower_case_and_then_to_the_majority():
    forms = ["dog", "The", "unheard", "barks"]
    assert baselines.majority(LABELS, 3) == 0
    assert baselines.lookup(FORMS, LABELS, ["Dog"], 3).tolist() == [0]
    assert baselines.lookup_folded(FORMS, LABELS, ["Dog"], 3).tolist() == [1]
    assert baselines.lookup_folded(FORMS, LABELS, forms, 3).tolist() == [1, 0, 0, 2]


def test_a_capital_speaks_for_a_name_except_at_the_beginning():
    train, labels = ["Anna", "dog", "The"], np.array([1, 0, 0])
    answers = baselines.lookup_capitalised(
        train, labels, ["Berlin", "Berlin", "The", "cat"], [False, True, False, False], 1
    )
    assert answers.tolist() == [1, 0, 0, 0]


def test_bag_of_words_tells_texts_apart():
    train, labels = ["good fine film", "bad dull film", "fine good"], np.array([1, 0, 1])
    assert baselines.bag_of_words(train, labels, ["a fine day", "dull and bad"], 2).tolist() == [1, 0]


def test_a_learnable_labelling_has_a_short_code_and_noise_a_long_one():
    sample = sample_from(correlated(2000, 10, 1))
    learnable = (sample.train[0] @ torch.randn(10, generator=torch.Generator().manual_seed(0)) > 0).long()
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 2000))
    short, long = (float(online_code(sample, y, 2)[0]) for y in (learnable, noise))
    assert short < 0.4 * uniform_code(2000, 2)
    assert 0.97 * uniform_code(2000, 2) < long < 1.2 * uniform_code(2000, 2)
    assert uniform_code(2000, 2) == 2000 * math.log2(2)

"""What decides: by which score a block is chosen, by which a rival is beaten, and over what."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score
from stubbed import GROUPS, SPLITS, Store, knowing, noise, texts_study, words_study

from latentmech.data import Examples
from latentmech.probe import ProbeSettings
from latentmech.probe.methods import METHODS
from latentmech.probe.scores import compared_by, logits_on_test, mean_of_tallies, metric_of, score_logits
from latentmech.probe.surface import _cues
from latentmech.statistics import mean_of

RNG = np.random.default_rng(1)


def test_two_classes_are_judged_by_scores_with_a_floor():
    assert (metric_of(2), compared_by(2)) == ("auroc", "balanced_accuracy")
    assert (metric_of(3), compared_by(3)) == ("accuracy", "accuracy")


def test_choosing_scores_are_those_of_scikit_learn():
    labels, logits = RNG.integers(0, 2, 200), torch.from_numpy(RNG.normal(size=(200, 2)))
    answers, margin = logits.argmax(1).numpy(), (logits[:, 1] - logits[:, 0]).numpy()
    assert score_logits(labels, "accuracy")(logits) == pytest.approx(accuracy_score(labels, answers))
    assert score_logits(labels, "f1")(logits) == pytest.approx(f1_score(labels, answers))
    assert score_logits(labels, "auroc")(logits) == pytest.approx(roc_auc_score(labels, margin))


def found_of(tiny, labels, make, **settings):
    texts = [f"text {i:03d} of many" for i in range(len(GROUPS))]
    return texts_study(texts, labels, **settings).find(tiny, Store(make))


def test_scores_of_a_study_are_those_of_scikit_learn(tiny):
    labels = RNG.integers(0, 2, len(GROUPS))
    found = found_of(tiny, labels, knowing(labels + RNG.normal(size=len(GROUPS)), scale=1))
    truth, probe = found.problem.of("test", found.problem.labels), found.test["probe"]
    assert probe.scores["accuracy"].value == pytest.approx(accuracy_score(truth, probe.predicted))
    assert probe.scores["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(truth, probe.predicted))
    assert probe.scores["f1"].value == pytest.approx(f1_score(truth, probe.predicted))
    assert {score.groups for score in probe.scores.values()} == {12}


def test_the_block_is_the_one_with_the_highest_auroc(tiny):
    """Level 2 gives more right answers; level 3 orders better, for it hardly answers where it is wrong."""
    labels = np.tile([0, 1], len(GROUPS) // 2)
    luck, side = RNG.random(len(labels)), 2 * labels - 1
    margin = {2: side * np.where(luck < 0.85, 1, -1), 3: side * np.where(luck < 0.75, 3, -0.1)}
    pale = noise(len(labels), d=2)

    def make(twin, level):
        states = pale(twin, level)
        states[:, 0] = margin[level] if level in margin and not twin else states[:, 0]
        return states

    found = found_of(tiny, labels, make)
    by = {name: max(range(1, 4), key=lambda i: found.own.dev[i].scores[name].value) for name in ("f1", "auroc")}
    assert (by["f1"], by["auroc"], found.own.best) == (2, 3, 3)
    assert found.metric == "auroc" and 3 in found.equals and 0 not in found.equals


def test_the_embedding_is_no_block(tiny):
    labels = np.tile([0, 1], len(GROUPS) // 2)
    pale = noise(len(labels), d=4)

    def make(twin, level):
        states = pale(twin, level)
        states[:, 0] += 5 * labels if level == 0 else level * 0.2 * labels
        return states

    found = found_of(tiny, labels, make)
    assert (
        found.own.best > 0
        and found.own.dev[0].scores["auroc"].value > found.own.dev[found.own.best].scores["auroc"].value
    )


def test_control_tasks_are_read_at_the_probes_block_and_exchanges_at_their_own(tiny):
    words = RNG.integers(0, 30, size=(len(GROUPS), 4))
    labels = RNG.integers(0, 3, size=words.shape)
    rows = np.repeat(GROUPS, 4)
    states = knowing(np.eye(3)[labels.ravel()], groups=rows)
    study = words_study(np.char.add("w", words.astype(str)), labels, control_seeds=1, shuffles=3)
    found = study.find(tiny, Store(states))
    levels = [torch.from_numpy(states(False, i)).float() for i in range(4)]
    picked = {}
    for number, (kind, one) in enumerate(found.controls):
        answers = [
            logits_on_test(found.problem, rows, fit.controls[number]).argmax(1)
            for fit, rows in zip(found.own.fits, levels, strict=True)
        ]
        alike = [i for i, given in enumerate(answers) if (given == one.predicted).all()]
        assert len(alike) == 1
        picked.setdefault(kind, []).append(alike[0])
    dev = np.array([fit.control_dev for fit in found.own.fits])
    assert picked == {"control_task": [found.own.best], "shuffled": (1 + dev[1:, 1:].argmax(0)).tolist()}
    assert set(picked["shuffled"]) != {found.own.best}


def test_parts_of_test_are_what_they_are_called(tiny):
    """Words of test that train lacks are answered wrong, and two texts of test are copies."""
    words = [["a", "b"] * 3 for _ in GROUPS]
    words = [[*row, f"x{i}", f"y{i}"] for i, row in enumerate(words)]
    test, train = (np.flatnonzero(SPLITS[GROUPS] == split) for split in ("test", "train"))
    for own, other in zip(test[:2], train[:2], strict=True):
        words[own] = words[other]
    labels = RNG.integers(0, 3, size=(len(GROUPS), 8))
    known = np.ones(labels.shape, dtype=bool)
    known[test[2:], 6:] = False
    told = np.where(known, labels, (labels + 1) % 3)
    study = words_study(words, labels, control_seeds=0)
    parts = study.find(tiny, Store(knowing(np.eye(3)[told.ravel()], scale=9, groups=np.repeat(GROUPS, 8)))).subsets
    assert parts["seen"].value > 0.95 and parts["unseen"].value < 0.05
    assert parts["seen"].n == 8 * len(test) - 2 * (len(test) - 2) and parts["unseen"].n == 2 * (len(test) - 2)
    assert parts["without_duplicates"].n == 8 * (len(test) - 2)


def test_selectivity_is_paired_and_its_mean_is_over_control_tasks():
    clusters = np.repeat(np.arange(12), 10)
    one, other = (RNG.integers(0, 2, 120).astype(float) for _ in range(2))
    tally = mean_of_tallies([mean_of(one, clusters, 0, 1), mean_of(other, clusters, 0, 1)])
    assert tally.value == pytest.approx((one.mean() + other.mean()) / 2)
    np.testing.assert_allclose(tally.without_each()[0], (one[10:].mean() + other[10:].mean()) / 2)


def test_every_method_can_be_asked_for():
    for method in METHODS:
        assert ProbeSettings(method=method).method == method


def test_a_distance_is_counted_in_twos_and_no_further_than_twelve_words():
    texts = ["Ann " + "w " * n + "she" for n in (0, 1, 2, 5, 40)]
    spans = tuple(((0, 3), (len(text) - 3, len(text))) for text in texts)
    same = tuple(map(str, range(5)))
    pairs = Examples(ids=same, texts=tuple(texts), groups=same, splits=("train",) * 5, spans=spans)
    assert _cues(pairs)["distance"] == ["0", "0", "1", "2", "6"]

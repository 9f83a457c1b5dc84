"""What a probe study's report holds beside its headline: methods, leads, code lengths, tables, all by one account."""

import numpy as np
import pytest
from stubbed import GROUPS, Store, knowing, texts_study, words_study

from latentmech.probe import ProbeFindings
from latentmech.probe.findings import NAMES

RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def words():
    """Three labels that only the model's blocks tell, of words that recur."""
    sentences = np.array([f"w{i}" for i in RNG.integers(0, 60, len(GROUPS) * 6)]).reshape(-1, 6)
    labels = RNG.integers(0, 3, size=sentences.shape)
    rows = np.repeat(GROUPS, 6)
    study = words_study(sentences, labels, method="logistic", code_length=True, control_seeds=2)
    return study, Store(knowing(np.eye(3)[labels.ravel()], groups=rows))


def test_find_is_what_the_report_is_made_of(words, tiny):
    study, store = words
    found = study.find(tiny, store)
    assert isinstance(found, ProbeFindings)
    report = study(tiny, store)
    assert report.metrics["probe/test/accuracy"] == found.test["probe"].scores["accuracy"].value
    assert report.metrics["probe/lead/control_task"] == pytest.approx(found.selectivity.value)
    frame = report.frame()
    assert len(frame) == len(report.metrics)
    selectivity = frame[(frame.metric == "selectivity") & (frame.split == "test")].iloc[0]
    assert selectivity.interval == "95% interval" and selectivity.groups == 12
    seeds = frame[(frame.control == "control_task_mean") & (frame.split == "test")].iloc[0]
    assert seeds.interval == "range" and seeds.n == 2


def test_labels_of_control_and_twin_take_more_bits(words, tiny):
    study, store = words
    report = study(tiny, store)
    code = {who: report.metrics[f"probe/{who}/compression"] for who in ("layer_00", "control_task", "random_init")}
    assert code["layer_00"] > 2 > 1.2 > max(code["control_task"], code["random_init"])
    (note,) = [note for note in report.notes if "online code length" in note]
    assert f"control task {code['control_task']:.2f}" in note
    assert f"probe of the random-init twin {code['random_init']:.2f}" in note


def test_methods_say_what_was_tested_against_what(words, tiny):
    study, store = words
    said = {cite: one.said for one in study(tiny, store).methods for cite in one.cites}
    assert {"berger1982", "hansen2011", "hewitt2019", "phipson2010", "voita2020"} <= set(said)
    assert "every one of 7" in said["berger1982"] and "control task; " in said["berger1982"] + "; "
    assert "Control tasks (2)" in said["hewitt2019"] and "exchanges: 1" in said["phipson2010"]
    first = study(tiny, store).methods[0].said
    assert "at 4 levels" in first and "576 in train (documents: 16)" in first and "Test was read once" in first


def test_what_was_switched_off_or_does_not_apply_is_said_and_left_out(tiny):
    labels = np.tile([0, 1], len(GROUPS) // 2)
    texts = [f"text {i:03d} of many" for i in range(len(GROUPS))]
    study = texts_study(texts, labels, code_length=True, random_init=False, shuffles=0)
    report = study(tiny, Store(knowing(labels)))
    assert "No online code length: ridge gives no probabilities." in report.notes
    assert "No control task: it needs words that recur, and here whole texts are labelled." in report.notes
    assert {"Switched off by setting: random-init twin.", "Switched off by setting: shuffled labels."} <= set(
        report.notes
    )
    assert not any("random_init" in name or "shuffled" in name or "code" in name for name in report.metrics)
    assert "selectivity" not in report.headline
    assert not {"hewitt2019", "phipson2010", "voita2020"} & {cite for one in report.methods for cite in one.cites}


def test_test_is_read_at_one_block_only(words, tiny):
    study, store = words
    frame = study(tiny, store).frame()
    own = frame[(frame.split == "test") & frame.layer.notna()]
    assert len(own) > 5 and len(set(own.layer)) == 1


def test_the_table_says_how_far_ahead_of_each(words, tiny):
    study, store = words
    found = study.find(tiny, store)
    table = study(tiny, store).tables["test"].frame.set_index("answers by")
    for lead in found.leads:
        if lead.rival != "control_task":
            assert table.ahead.loc[NAMES[lead.rival]] == pytest.approx(lead.difference.value)
    assert table.ahead.loc["control task (mean of 2)"] == pytest.approx(found.selectivity.value)
    assert table.loc["control task (mean of 2)", "low"] < table.loc["control task (mean of 2)", "high"]


def test_classes_are_counted_as_a_confusion_matrix_has_them(words, tiny):
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    study, store = words
    found = study.find(tiny, store)
    truth = found.problem.of("test", found.problem.labels)
    np.testing.assert_array_equal(found.confusion("lookup"), confusion_matrix(truth, found.test["lookup"].predicted))
    table = study(tiny, store).tables["classes"].frame
    expected = precision_recall_fscore_support(truth, found.test["probe"].predicted)
    for name, column in zip(("precision", "recall", "f1", "n"), expected, strict=True):
        np.testing.assert_allclose(table[name], column)

"""Planted faults: whatever is wrong with the data, the headline or a note of a probe study names it."""

from dataclasses import replace

import numpy as np
import pytest
from stubbed import EACH, GROUPS, SPLITS, Store, knowing, noise, texts_study, words_study

from latentmech.data import Corpus
from latentmech.errors import BadInput
from latentmech.probe import ProbeStudy
from latentmech.probe.account import headline, methods
from latentmech.statistics import beats

RNG = np.random.default_rng(1)
N = len(GROUPS)
WORDS = "river stone house music paper light field water bread cloud glass table".split()


def sentence(rng, n=6):
    return " ".join(rng.choice(WORDS, size=n))


def plain_texts():
    """Texts of much the same length that say nothing about a label; none is there twice."""
    return [f"{sentence(RNG)} {i:03d} today." for i in range(N)]


@pytest.fixture
def balanced():
    """Half of each group's texts are 1."""
    return np.tile([0, 1] * (EACH // 2), len(SPLITS))


def said(study, make, tiny):
    return headline(study.find(tiny, Store(make)))


def test_what_only_the_model_knows_is_said_to_beat_everything(tiny, balanced):
    found = texts_study(plain_texts(), balanced).find(tiny, Store(knowing(balanced)))
    assert " it beats the strongest rival (" in headline(found)
    rivals = {lead.rival for lead in found.leads}
    assert rivals == {
        *("majority", "always_positive", "bag_of_words", "length", "final_punctuation", "first_word"),
        *("embed", "random_init", "shuffled"),
    }


def test_a_leak_is_counted(tiny, balanced):
    texts = plain_texts()
    train, test = (np.flatnonzero(SPLITS[GROUPS] == split) for split in ("train", "test"))
    for own, other in zip(test, train, strict=False):
        texts[own] = texts[other]
    report = texts_study(texts, balanced)(tiny, Store(knowing(balanced)))
    assert any(f"{len(test)} of {len(test)} test texts stand in train or dev word for word" in n for n in report.notes)


def test_near_copies_are_counted(tiny, balanced):
    texts = plain_texts()
    train, test = (np.flatnonzero(SPLITS[GROUPS] == split) for split in ("train", "test"))
    for own, other in list(zip(test, train, strict=False))[:5]:
        texts[own] = texts[other].upper()
    report = texts_study(texts, balanced)(tiny, Store(knowing(balanced)))
    assert any(f"0 of {len(test)} test texts stand in train or dev word for word, 5 more" in n for n in report.notes)


def confounded(kind, label, rng):
    """A text that gives its label away."""
    body = sentence(rng)
    if kind == "length in characters":
        return sentence(rng, 12 if label else 4)
    if kind == "last character":
        return body + (" now!" if label else " now.")
    if kind == "first word":
        return ("Surely " if label else "Perhaps ") + body
    return body + (" splendid" if label else " dreadful") + f" {rng.choice(WORDS)}"


@pytest.mark.parametrize("kind", ["length in characters", "last character", "first word", "bag of words"])
def test_a_confound_is_named(kind, tiny, balanced):
    texts = [confounded(kind, label, RNG) for label in balanced]
    line = said(texts_study(texts, balanced), knowing(balanced), tiny)
    assert "is not shown to beat" in line and kind in line


def test_a_confound_of_nine_in_ten_is_named_too(tiny, balanced):
    marks = np.where(RNG.random(N) < 0.95, balanced, 1 - balanced)
    texts = [confounded("last character", mark, RNG) for mark in marks]
    line = said(texts_study(texts, balanced), knowing(marks), tiny)
    assert "is not shown to beat" in line and "last character" in line


def lexical(n_words=300):
    """Sentences of six words, each word's label a hash of how it is spelled, and states that spell the word."""
    words = np.array([f"{a}{b}" for a in WORDS for b in range(n_words // len(WORDS))])
    place = RNG.integers(0, len(words), size=(N, 6))
    label = RNG.integers(0, 3, size=len(words))
    spelled = RNG.normal(size=(len(words), 24))
    return words[place], label[place], spelled[place.ravel()]


def test_labels_by_heart_are_no_better_than_control_labels(tiny):
    sentences, labels, spelled = lexical()
    found = words_study(sentences, labels).find(tiny, Store(lambda twin, level: spelled))
    line = headline(found)
    assert "is not shown to beat commonest tag of the word" in line and "; control task" in line
    assert abs(found.selectivity.value) < 0.1 and f"selectivity is {found.selectivity.value:+.3f}" in line
    assert found.selectivity.kind == "95% interval" and found.selectivity.groups == 12


def test_what_a_word_does_not_tell_is_beyond_its_controls(tiny):
    sentences, _, spelled = lexical()
    labels = RNG.integers(0, 3, size=(N, 6))
    context = np.eye(3)[labels.ravel()]
    rows = np.repeat(GROUPS, 6)
    found = words_study(sentences, labels).find(tiny, Store(knowing(context, groups=rows)))
    assert "It beats the strongest rival" in headline(found)
    assert found.selectivity.ci_low > 0.3
    del spelled


NOISE = {
    "text": lambda rng: rng.integers(0, 2, N),
    "group": lambda rng: rng.integers(0, 2, len(SPLITS))[GROUPS],
    "mostly yes": lambda rng: (rng.random(N) < 0.8).astype(int),
    "groups mostly yes": lambda rng: (rng.random(len(SPLITS)) < 0.8).astype(int)[GROUPS],
    "three": lambda rng: rng.integers(0, 3, N),
    "three, group": lambda rng: rng.integers(0, 3, len(SPLITS))[GROUPS],
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_not_said_to_beat(kind, tiny):
    texts, told = plain_texts(), 0
    for seed in range(6):
        labels = NOISE[kind](np.random.default_rng(seed))
        found = texts_study(texts, labels).find(tiny, Store(noise(N, seed=seed)))
        told += not found.untold
        assert not beats(found.leads) and "beats the strongest rival" not in headline(found)
    assert told > 3


def test_the_floor_of_mostly_yes_is_a_rival(tiny):
    labels = NOISE["mostly yes"](RNG)
    found = texts_study(plain_texts(), labels, positive="1").find(tiny, Store(noise(N)))
    assert found.test["always_positive"].scores["f1"].value > 0.8
    assert "majority class 0.500" in headline(found)


def test_constant_states_are_chance(tiny, balanced):
    report = texts_study(plain_texts(), balanced)(tiny, Store(lambda twin, level: np.ones((N, 4))))
    assert report.metrics["probe/test/auroc"] == 0.5 and "with test AUROC 0.500 [" in report.headline
    assert "is not shown to beat" in report.headline
    assert "The probe gives every text of test the same answer." in report.notes
    there = texts_study(plain_texts(), balanced)(tiny, Store(knowing(balanced)))
    assert not any("the same answer" in note for note in there.notes)


def test_a_model_with_random_weights_is_called_so(tiny, balanced):
    report = texts_study(plain_texts(), balanced)(tiny, Store(noise(N)))
    assert any("random weights: nothing here is about language" in note for note in report.notes)


def test_a_single_document_is_refused_with_what_to_do(tiny, tmp_path):
    rows = "".join(f"{text},{i % 2},one\n" for i, text in enumerate(plain_texts()[:30]))
    (tmp_path / "one.csv").write_text(f"text,label,group\n{rows}")
    study = ProbeStudy(data=Corpus(path=tmp_path / "one.csv"), task="column", column="label")
    with pytest.raises(BadInput, match=r"1 groups without common texts .* add documents, or name a finer `group`"):
        study.find(tiny, Store(noise(30)))


def test_one_document_in_test_is_said_plainly(tiny, balanced):
    splits = SPLITS.copy()
    splits[splits == "test"] = ["test", *["train"] * 11]
    report = texts_study(plain_texts(), balanced, splits=splits)(tiny, Store(knowing(balanced)))
    assert "cannot be told: test is a single document" in report.headline and "[" not in report.headline
    assert any(note.startswith("Test is a single document: no score on it has an interval") for note in report.notes)


def test_one_class_in_test_is_refused(tiny, balanced):
    """Every answer would be right: F1 was 0.000 beside an accuracy of 1."""
    for split in ("dev", "test"):
        labels = np.where(SPLITS[GROUPS] == split, 1, balanced)
        for positive in (None, "0", "1"):
            with pytest.raises(BadInput, match=rf"made: {split} has no \w+, only \w+ \(made\)"):
                texts_study(plain_texts(), labels, positive=positive).find(tiny, Store(knowing(labels)))


def test_words_with_one_vector_are_counted_and_said(tiny):
    """Two words in every three stand in one token; of those a probe can be right on one."""
    sentences = [[f"a{i}", f"b{i}", f"c{i}"] for i in range(len(SPLITS))]
    kinds = [[0, 1, i % 2] for i in range(len(SPLITS))]
    study = words_study(sentences, kinds, groups=np.arange(len(SPLITS)))

    def states(twin, level):
        rows = np.random.default_rng([twin, level]).normal(size=(len(SPLITS), 3, 8))
        rows[:, 1] = rows[:, 0]
        return rows.reshape(-1, 8)

    notes = study(tiny, Store(states)).notes
    said = "80 of 120 labelled words share a vector with a neighbour"
    assert any(said in note and "No probe can be right on more than 66.7% of test." in note for note in notes)
    apart = study(tiny, Store(lambda twin, level: np.random.default_rng(level).normal(size=(120, 8)))).notes
    assert not any("share a vector" in note for note in apart)


def test_a_truth_value_of_json_is_found_as_it_is_typed(tiny, balanced):
    labels = ["true" if kind else "false" for kind in balanced]
    for positive in (True, "true", "True"):
        found = texts_study(plain_texts(), labels, positive=positive).find(tiny, Store(knowing(balanced)))
        assert found.problem.classes == ("other", "true")
    with pytest.raises(BadInput, match="the column 'label' of made has no label 'yes'; it has false, true"):
        texts_study(plain_texts(), labels, positive="yes").find(tiny, Store(knowing(balanced)))


def test_few_documents_leave_levels_unmarked(tiny, balanced):
    splits = SPLITS.copy()
    splits[splits == "dev"] = ["dev"] * 9 + ["train"] * 3
    report = texts_study(plain_texts(), balanced, splits=splits)(tiny, Store(knowing(balanced)))
    assert any("cannot be told: dev has 9 documents; expected 10 or more" in note for note in report.notes)
    assert "probe/not_worse/count" not in report.metrics and "≈" not in set(report.tables["layers"].frame["mark"])
    assert any(note.startswith("Few documents: some intervals are over 9 of them") for note in report.notes)


def test_equal_levels_are_marked_where_there_are_documents_enough(tiny, balanced):
    states = knowing(balanced)
    report = texts_study(plain_texts(), balanced)(tiny, Store(lambda twin, level: states(twin, min(level, 1))))
    assert list(report.tables["layers"].frame["mark"]) == ["", "best", "≈", "≈"]
    assert report.metrics["probe/not_worse/count"] == 3 and report.metrics["probe/embed/not_worse"] == 0


def test_a_permutation_test_tells_what_is_there_from_noise(tiny, balanced):
    study = texts_study(plain_texts(), balanced, shuffles=19)
    there = study.find(tiny, Store(knowing(balanced)))
    assert there.exchanges == (0, 19, pytest.approx(0.05))
    assert "0 of 19 exchanges of the labels reach its score (p = 0.050)" in headline(there)
    assert "too few" not in next(one.said for one in methods(there) if "phipson2010" in one.cites)
    nothing = study.find(tiny, Store(noise(N)))
    assert nothing.exchanges[2] > 0.1
    assert replace(study, shuffles=18).find(tiny, Store(noise(N))).exchanges is None


def test_p_values_of_noise_are_even(tiny):
    """By document, where the null that leaves test labels alone goes wrong."""
    p = []
    for seed in range(12):
        labels = NOISE["group"](np.random.default_rng(seed))
        study = texts_study(plain_texts(), labels, shuffles=19, random_init=False, layers=[0])
        p.append(study.find(tiny, Store(noise(N, seed=seed))).exchanges[2])
    assert np.mean(p) == pytest.approx(0.525, abs=0.2)  # 2.4 standard errors

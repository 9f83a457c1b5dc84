"""Tasks and the table of labelled units that a probe reads."""

import numpy as np
import pytest

from latentmech.data import TASKS, Task, flat, read_conllu, task
from latentmech.data.labels import name_type
from latentmech.errors import BadInput


@pytest.fixture
def examples(write, sentence):
    """Two train sentences, one of dev, one of test."""
    text = (
        sentence(
            ("Anna", "PROPN", "Number=Sing", "Entity=B-PER"),
            ("Lee", "PROPN", "Number=Ptan", "Entity=I-PER"),
            ("saw", "VERB", "Tense=Past|VerbForm=Fin"),
            ("dogs", "NOUN", "Number=Plur", "Entity=O"),
            newdoc="z",
        )
        + sentence(("Rome", "PROPN", "Number=Sing", "Entity=B-LOC"), ("is", "AUX", "Tense=Pres|VerbForm=Fin"))
        + sentence(("Cats", "NOUN", "Number=Plur"), ("seen", "VERB", "Tense=Past|VerbForm=Part"), newdoc="a")
        + sentence(("one", "NUM", "Number=Sing"), ("Bo", "PROPN", "Number=Sing", "Entity=B-PER"), newdoc="b")
    )
    read = read_conllu(write("a.conllu", text))
    columns = {**read.columns, "mood": ("good", "bad", "good", None)}
    splits = ("train", "train", "dev", "test")
    return type(read)(**{**vars(read), "splits": splits, "columns": columns})


def rows(table):
    return list(zip(table.example.tolist(), table.word.tolist(), table.label.tolist(), strict=True))


def test_units_come_in_the_order_of_examples_and_words(examples):
    table = flat(examples, TASKS["number"])
    assert rows(table) == [(0, 0, "Sing"), (0, 3, "Plur"), (1, 0, "Sing"), (2, 0, "Plur"), (3, 1, "Sing")]
    assert table.form.tolist() == ["Anna", "dogs", "Rome", "Cats", "Bo"]
    assert table.split.tolist() == ["train", "train", "train", "dev", "test"]
    assert table.group[0] == table.group[2] and len(set(table.group.tolist())) == 3
    assert table.classes == ("Plur", "Sing") and table.notes == ()


def test_the_tasks(examples):
    assert flat(examples, TASKS["proper_noun"]).label.tolist().count("PROPN") == 4
    assert len(flat(examples, TASKS["proper_noun"])) == 10
    assert rows(flat(examples, TASKS["tense"])) == [(0, 2, "Past"), (1, 1, "Pres")]
    assert flat(examples, TASKS["entity"]).label.tolist() == ["PER", "PER", "LOC", "PER"]
    assert task("pos") is TASKS["pos"]


def test_name_types():
    tags = ["B-PER", "I-ORG", "S-LOC", "PER", "O", "WORK-OF-ART"]
    assert list(map(name_type, tags)) == ["PER", "ORG", "LOC", "PER", None, "WORK-OF-ART"]


def test_texts_are_units_too(examples):
    table = flat(examples, task("mood", "mood"))
    assert rows(table) == [(0, -1, "good"), (1, -1, "bad"), (2, -1, "good")]
    assert table.form.tolist() == list(examples.texts[:3])


def test_keep_by_a_text_column_holds_for_its_words_and_not_the_other_way_round(examples):
    table = flat(examples, Task("t", "upos", keep={"mood": ["good"]}))
    assert set(table.example.tolist()) == {0, 2}
    with pytest.raises(BadInput, match=r"'upos' of .* has one value per word; expected one per text"):
        flat(examples, Task("t", "mood", keep={"upos": ["NOUN"]}))


def test_a_mapping_leaves_out_what_it_does_not_know(examples):
    table = flat(examples, Task("t", "upos", mapping={"NOUN": "n", "VERB": "v"}))
    assert table.label.tolist() == ["v", "n", "n", "v"]


def test_select_takes_a_mask_or_an_index(examples):
    table = flat(examples, TASKS["number"])
    assert rows(table.in_split("dev")) == [(2, 0, "Plur")]
    assert rows(table.select(np.array([4, 0]))) == [(3, 1, "Sing"), (0, 0, "Sing")]


def test_a_missing_column_is_named_with_those_that_are_there(examples):
    with pytest.raises(BadInput, match=r"no column 'Tens' in .*a\.conllu; did you mean 'Tense'\?.*upos.*Entity"):
        flat(examples, task("x", "Tens"))
    with pytest.raises(BadInput, match="did you mean 'Tense'"):
        flat(examples, task("x", "TENSE"))
    with pytest.raises(BadInput, match="no column 'Nr'"):
        flat(examples, Task("x", "upos", keep={"Nr": ["Sing"]}))
    with pytest.raises(BadInput, match="no task 'poss'; did you mean 'pos'"):
        task("poss")


def test_one_class_is_no_task(examples):
    with pytest.raises(BadInput, match=r"'t' finds 1 classes \[PROPN\] in .*a\.conllu"):
        flat(examples, Task("t", "upos", keep={"upos": ["PROPN"]}))
    with pytest.raises(BadInput, match=r"'t' finds 0 classes"):
        flat(examples, Task("t", "upos", keep={"upos": ["ADJ"]}))


def test_a_class_that_train_lacks_is_an_error_or_dropped_and_noted(examples):
    with pytest.raises(BadInput, match=r"train lacks .*: NUM \(1\); .*raise `limit`, or set unseen_classes=drop"):
        flat(examples, TASKS["pos"])
    table = flat(examples, TASKS["pos"], unseen_classes="drop")
    assert len(table) == 9 and "NUM" not in table.classes and "NUM (1)" in table.notes[0]
    with pytest.raises(BadInput, match="unseen_classes='dorp'"):
        flat(examples, TASKS["pos"], unseen_classes="dorp")


def test_examples_without_splits_have_no_unseen_class(examples):
    unsplit = type(examples)(**{**vars(examples), "splits": ("",) * 4})
    assert "NUM" in flat(unsplit, TASKS["pos"]).classes

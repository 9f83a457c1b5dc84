"""`Corpus`: files and folders, splits that came or are made, limits, groups, and its errors."""

import json
from collections import Counter

import pytest

from latentmech.data import Corpus
from latentmech.errors import BadInput


def jsonl(*texts, **columns):
    return "".join(json.dumps({"text": text, **columns}) + "\n" for text in texts)


def test_one_file_is_split_by_document_and_limited(treebank):
    examples = Corpus(treebank)()
    assert Counter(examples.splits) == {"train": 18, "dev": 6, "test": 6} and not examples.own_splits
    assert len(set(zip(examples.groups, examples.splits, strict=True))) == 10
    assert sum(Corpus(treebank, limit=30)().sizes()) == 30
    assert Corpus(treebank, split_seed=1)().splits != examples.splits
    assert Corpus(treebank, limit=30, limit_seed=1)().ids != Corpus(treebank, limit=30)().ids
    assert Counter(Corpus(treebank, split=(0.4, 0.3, 0.3))().splits)["train"] == 12


def test_a_relative_path_is_relative_to_the_current_directory(treebank, monkeypatch):
    monkeypatch.chdir(treebank.parent)
    examples = Corpus("made.conllu")()
    assert len(examples) == 30 and examples.source == "made.conllu"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_formats_by_suffix(write, suffix):
    content = jsonl("a", "b", "c") if suffix == "jsonl" else "text\na\nb\nc\n"
    assert sorted(Corpus(write(f"x.{suffix}", content))().texts) == ["a", "b", "c"]


def test_a_folder_gives_the_splits_and_clashing_ids_are_told_apart(write, sentence, tmp_path):
    def content(form):
        shared = sentence((form, "X"), ("y", "Y"), sent_id="s1")
        return shared + sentence((form + "2", "X"), sent_id=f"{form}-s2", newdoc=f"doc-{form}")

    write("c/xx-ud-train.conllu", content("a"))
    write("c/xx-ud-test.conllu", content("b"))
    write("c/xx-ud-valid.conllu", content("c"))
    write("c/README.txt", "nothing")
    write("c/statistics.csv", "nothing")
    examples = Corpus(tmp_path / "c")()
    assert examples.ids == ("train/s1", "a-s2", "dev/s1", "c-s2", "test/s1", "b-s2")
    assert examples.groups == ("train/s1", "doc-a", "dev/s1", "doc-c", "test/s1", "doc-b")
    assert examples.splits == ("train", "train", "dev", "dev", "test", "test") and examples.own_splits
    assert examples.source == str(tmp_path / "c") and examples.notes == ()
    assert Counter(Corpus(tmp_path / "c", limit=3)().splits) == {"train": 1, "dev": 1, "test": 1}


def test_columns_that_only_some_files_have(write, tmp_path):
    row = '{"words": ["a", "b"], "tag": ["X", "Y"], "kind": 1}\n'
    write("train.jsonl", row)
    write("dev.jsonl", '{"words": ["c"]}\n')
    write("test.jsonl", '{"words": ["d", "e"], "kind": 2}\n')
    examples = Corpus(tmp_path)()
    assert examples.columns["tag"] == (("X", "Y"), (None,), (None, None))
    assert examples.columns["kind"] == ("1", None, "2") and examples.word_columns == {"tag"}


def test_a_missing_dev_is_cut_from_train_and_said(write, tmp_path):
    write("train.jsonl", jsonl(*(f"train {n}" for n in range(8)), split="train"))
    write("test.jsonl", jsonl("test"))
    examples = Corpus(tmp_path)()
    assert Counter(examples.splits) == {"train": 6, "dev": 2, "test": 1} and examples.own_splits
    assert [i for i in examples.ids if i.startswith("test")] == ["test-1"] and examples.splits[-1] == "test"
    assert "no dev split: 2 of 8 train texts" in examples.notes[0]
    assert Corpus(tmp_path, split_seed=3)().splits != examples.splits


def test_splits_inside_a_file_are_kept(write):
    content = jsonl("a", "b", split="train") + jsonl("c", split="valid") + jsonl("d", split="test")
    examples = Corpus(write("x.jsonl", content))()
    assert examples.splits == ("train", "train", "dev", "test") and examples.own_splits


def test_a_column_groups_instead_of_the_document(write):
    content = "".join(jsonl(f"{n} a", f"{n} b", template=n, tag=n) for n in range(5)) + jsonl("alone")
    examples = Corpus(write("x.jsonl", content), group="template")()
    assert examples.groups == ("0", "0", "1", "1", "2", "2", "3", "3", "4", "4", "x-11")
    assert len(set(zip(examples.groups, examples.splits, strict=True))) == 6


def fails(message, **settings):
    with pytest.raises(BadInput, match=message) as caught:
        Corpus(**settings)()
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read(write, treebank, tmp_path):
    fails(r"no 'mad.conllu' in .*did you mean 'made.conllu'", path=tmp_path / "mad.conllu")
    fails(r"the suffix '.txt'; expected one of .conllu, .parquet, .jsonl", path=write("a.txt", "x"))
    fails(r"there is made.conllu; expected files named train, dev and test", path=tmp_path)
    (tmp_path / "empty").mkdir()
    fails(r"there is no file that ends in .conllu", path=tmp_path / "empty")
    fails(r"no bundled corpus 'treebnk'; did you mean 'treebank'", name="treebnk")
    fails(r"no column 'templat'", path=treebank, group="templat")
    fails(r"no column 'upos' with one value per text", path=treebank, group="upos")


def test_settings_are_checked_before_anything_is_read():
    for settings in ({"limit": 0}, {"split": (0.5, 0.5, 0.5)}):
        with pytest.raises(BadInput, match="expected"):
            Corpus("nowhere.conllu", **settings)


def test_folders_that_contradict_themselves(write, tmp_path):
    write("a/train.jsonl", jsonl("a"))
    fails(r"only the split train; expected train and test", path=tmp_path / "a")
    write("b/train.jsonl", jsonl("a", split="test"))
    fails(r"its name says train and its rows say test", path=tmp_path / "b")
    write("c/train.jsonl", jsonl("a"))
    write("c/train.csv", "text\na\n")
    fails(r"in 2 formats \(.csv, .jsonl\)", path=tmp_path / "c")
    write("d/train-a.jsonl", jsonl("a", id=1))
    write("d/train-b.jsonl", jsonl("b", id=1))
    fails(r"the id 'train/1' 2 times", path=tmp_path / "d")
    write("e/train.jsonl", '{"words": ["a"], "tag": ["X"]}\n')
    write("e/test.jsonl", '{"words": ["a"], "tag": "X"}\n')
    fails(r"the column 'tag' is per word in only one", path=tmp_path / "e")
    write("f/train.jsonl", '{"words": ["a"]}\n')
    write("f/test.jsonl", jsonl("a"))
    fails(r"words are annotated in only one", path=tmp_path / "f")

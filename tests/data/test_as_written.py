"""What is read is what was written: no mark, grade, label or pair changes on the way, or it is said."""

import json
from collections import Counter

import pytest

from latentmech.data import Corpus, Library, Pairs, Task, flat, read_csv, read_jsonl, task, to_score
from latentmech.data.beir import grade
from latentmech.data.pairs import read_pair_file
from latentmech.data.table import label, meant
from latentmech.errors import BadInput, expected, listed


def lines(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_tsv_has_no_quoting(write):
    texts = ['"It began here', "a plain one", 'and ended there"', 'so he said "no"', '"all of it"', "it's"]
    examples = read_csv(write("a.tsv", "text\tlabel\n" + "".join(f"{text}\tx{i}\n" for i, text in enumerate(texts))))
    assert examples.texts == tuple(texts)
    assert examples.columns["label"] == ("x0", "x1", "x2", "x3", "x4", "x5")
    assert examples.notes == (f"1 fields of {examples.source} stand in quotation marks, which belong to them: "
                              "TSV has no quoting",)  # fmt: skip
    assert read_csv(write("b.csv", 'text,label\n"a, b",x\n')).texts == ("a, b",) and not examples.own_splits
    with pytest.raises(BadInput, match=r"c\.tsv:3: 3 fields .*; expected 2 as in the header: TSV has no quoting"):
        read_csv(write("c.tsv", 'text\tlabel\na\tx\n"b\tc"\ty\n'))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_delimiter_of_a_csv_is_the_one_of_its_header(write, mark):
    rows = [["text", "label"], [f'"a{mark} b"', "x, y" if mark == ";" else "x; y"]]
    examples = read_csv(write("a.csv", "".join(mark.join(row) + "\n" for row in rows)))
    assert examples.texts == (f"a{mark} b",) and examples.columns["label"] == (rows[1][1],)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_another_column_can_be_the_text(write, name):
    rows = [{"text": f"no {i}", "sentence": f"this is {i}", "label": "ab"[i % 2]} for i in range(40)]
    mark = "\t" if name == "a.tsv" else ","
    table = "".join(mark.join(row) + "\n" for row in [["text", "sentence", "label"], *(r.values() for r in rows)])
    path = write(name, lines(rows) if name == "a.jsonl" else table)
    own = Pairs(path=path, text="sentence", positive="a", balance=False)().joint
    for read in (Corpus(path=path, text="sentence")(), own):
        assert sorted(read.texts) == sorted(row["sentence"] for row in rows) and "sentence" not in read.columns
    with pytest.raises(BadInput, match=r"no 'sentense' in the row, which data.text names; did you mean 'sentence'"):
        Corpus(path=path, text="sentense")()


def test_a_text_column_of_data_without_columns_is_refused(write, treebank):
    pairs = write("p.jsonl", lines([{"positive": "a", "negative": "b"}]))
    for data in (
        lambda: Corpus(text="x"),
        lambda: Pairs(text="x"),
        lambda: Corpus(path=treebank, text="form")(),
        lambda: Pairs(path=pairs, text="positive")(),
    ):
        with pytest.raises(BadInput, match=r"data.text=\w+: .* says itself what its text is"):
            data()


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1.0", 1), ("-2", -2), ("0.0", 0)])
def test_whole_grades_are_kept(text, number):
    assert grade(text, "here") == number


@pytest.mark.parametrize("text", ["1.9", "0.9", "nan", "inf", "-inf", "", "good"])
def test_other_grades_are_refused_and_never_cut(text):
    with pytest.raises(BadInput, match=r"q\.tsv:3: the grade is .*; expected a whole number"):
        grade(text, "q.tsv:3")


@pytest.fixture
def asked_of_itself(tmp_path):
    """Sixteen queries, each a document too; q1 only by its id, q2 also judged as its own answer."""
    (tmp_path / "qrels").mkdir()
    texts = {f"q{i}": f"what about number {i}" for i in range(16)}
    documents = [{"_id": name, "title": "A title" if name == "q0" else "", "text": text if name != "q1" else "else"}
                 for name, text in texts.items()]  # fmt: skip
    answers = [{"_id": f"d{i}", "text": f"number {i} is so"} for i in range(16)]
    (tmp_path / "corpus.jsonl").write_text(lines([*documents, *answers]))
    (tmp_path / "queries.jsonl").write_text(lines({"_id": name, "text": text} for name, text in texts.items()))
    judged = "".join(f"q{i}\td{i}\t1\n" for i in range(16))
    (tmp_path / "qrels" / "all.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}q2\tq2\t1\n")
    return Library(path=tmp_path)()


def test_a_query_that_is_a_document_is_known_by_id_and_text(asked_of_itself):
    assert asked_of_itself.itself == {f"q{i}" for i in range(16)} - {"q1"}
    assert asked_of_itself.judgements["q2"] == {"d2": 1}
    assert "15 of 16 queries are documents by id and text: each is left out of its own list" in asked_of_itself.notes


def test_a_label_is_called_alike_at_every_door(write):
    rows = [{"text": f"t {i}", "label": bool(i % 2), "n": i % 2, "x": "None" if i % 2 else "toxic"} for i in range(40)]
    path = write("a.jsonl", lines(rows))
    examples = Corpus(path=path)()
    for spelled in ("true", "True", True):
        table = flat(examples, Task("column", "label", positive=spelled))
        assert table.positive == "true" and table.classes == ("other", "true")
        contrast = read_pair_file(path, spelled)
        assert all(own.endswith(tuple("13579")) for own in contrast.positive.texts)
    for spelled in ("1", 1, 1.0, "1.0"):
        assert flat(examples, Task("column", "n", positive=spelled)).positive == "1"
    assert flat(examples, Task("column", "x", positive="None")).positive == "None"
    rows = [{"text": row["text"], "label": row["x"]} for row in rows]
    for kind in ("None", "toxic"):
        contrast = read_pair_file(write("b.jsonl", lines(rows)), kind)
        assert len(contrast.positive) == len(contrast.negative) == 20
        assert set(contrast.positive.columns["label"]) == {kind}


def test_labels_mean_what_they_spell():
    assert meant("1", ["1", "1.0"], "it") == "1" and meant("false", ["False", "no"], "it") == "False"
    with pytest.raises(BadInput, match=r"the data has no label 'yess'; did you mean 'yes'\? it has no, yes"):
        meant("yess", ["no", "yes"], "the data")
    with pytest.raises(BadInput, match=r"no label 'none'; .*it has toxic, None"):
        meant("none", ["toxic", "None"], "the data")
    assert [label(value, "x") for value in (True, 1, 1.0, "None", "", None, float("nan"))] == [
        "true", "1", "1.0", "None", None, None, None,
    ]  # fmt: skip


def test_a_positive_label_that_is_not_there_is_named_with_those_that_are(write):
    path = write("a.jsonl", lines({"text": f"t {i}", "label": "abc"[i % 3]} for i in range(30)))
    with pytest.raises(BadInput, match=r"the column 'label' of .*a\.jsonl has no label 'd'; .*a, b, c"):
        flat(Corpus(path=path)(), Task("column", "label", positive="d"))
    with pytest.raises(BadInput, match=r"the column 'label' of .*a\.jsonl has no label 'd'; .*a, b, c"):
        Pairs(path=path, positive="d")()


def test_a_class_that_is_called_other_has_another_name_for_the_rest(write):
    path = write("a.jsonl", lines({"text": f"t {i}", "label": ["other", "spam", "ham"][i % 3]} for i in range(60)))
    table = flat(Corpus(path=path)(), Task("column", "label", positive="other"))
    assert Counter(table.label.tolist()) == {"other": 20, "not other": 40} and table.positive == "other"


def test_long_lists_are_shortened(write):
    assert listed(range(23)) == ", ".join(map(str, range(20))) + " and 3 more"
    assert listed(["x" * 100]) == "x" * 59 + "…" and listed([]) == ""
    assert expected("zz", map(str, range(1000))).endswith("18, 19 or one of 980 more")
    path = write("a.jsonl", lines({"text": f"t {i}", "label": f"class {i}"} for i in range(1000)))
    with pytest.raises(BadInput, match=r"train lacks classes .* more;") as caught:
        flat(Corpus(path=path)(), task("column", "label"))
    assert len(str(caught.value)) < 800


def test_measurements_are_no_classes(write):
    path = write("a.csv", "text,score,stars\n" + "".join(f"t {i},{i / 7:.3f},{i % 5}.0\n" for i in range(300)))
    examples = Corpus(path=path)()
    with pytest.raises(BadInput, match=r"'score' of .*a\.csv holds 300 different numbers; .* bin them"):
        flat(examples, task("column", "score"))
    assert len(flat(examples, task("column", "stars")).classes) == 5
    assert flat(examples, Task("column", "score", positive="0.000")).positive == "0.000"


def test_several_labels_of_one_text_are_refused(write):
    path = write("a.jsonl", lines([{"text": "a", "topics": []}, {"text": "b", "topics": ["x", "y"]}]))
    with pytest.raises(BadInput, match=r"a\.jsonl:1: \[\] as 'topics' of one text; expected one label: .*0 and 1"):
        read_jsonl(path)


def test_names_in_brackets_are_refused_by_their_notation(write, sentence):
    words = [("Anna", "PROPN", "_", "Entity=(0-person-new-cf1*-1-coref)"), ("sees", "VERB", "_", "_"),
             ("old", "ADJ", "_", "Entity=(100-place-new-cf2-3-sgl"), ("Bern", "PROPN", "_", "Entity=100)")]  # fmt: skip
    examples = Corpus(path=write("a.conllu", sentence(*words, newdoc="d")))._read()
    for asked in (task("entity"), task("column", "Entity")):
        with pytest.raises(BadInput, match=r"'Entity' of .*a\.conllu has names in brackets, as CorefUD writes them"):
            flat(examples, asked)


def test_a_key_that_stands_twice_is_refused(write):
    twice = '{"text": "a", "label": "x", "label": "y"}'
    with pytest.raises(BadInput, match=r"a\.jsonl:2: the key 'label' twice in one object"):
        read_jsonl(write("a.jsonl", '{"text": "b"}\n' + twice))
    with pytest.raises(BadInput, match=r"a\.json: the key 'label' twice in one object"):
        Pairs(path=write("a.json", f"[{twice}]"))()


def test_pairs_of_one_text_are_no_pairs(write):
    same = [{"positive": f"a  {i}", "negative": f"a {i}"} for i in range(12)]
    with pytest.raises(BadInput, match="positive and negative are the same text in all rows"):
        Pairs(path=write("a.jsonl", lines(same)))()
    some = [*same[:3], *({"positive": f"good {i}", "negative": f"bad {i}"} for i in range(12))]
    contrast = Pairs(path=write("b.jsonl", lines(some)))()
    assert len(contrast) == 24 and "3 of 15 pairs have the same text twice and were left out" in contrast.notes
    assert [a.replace("good", "bad") for a in contrast.positive.texts] == list(contrast.negative.texts)


def made_splits(write, **labels):
    rows = [{"text": f"{split} {i}", "label": kind, "split": split}
            for split, kinds in labels.items() for i, kind in enumerate(kinds)]  # fmt: skip
    return Corpus(path=write("a.jsonl", lines(rows)))()


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("positive", [None, "rare", "common"])
def test_a_split_without_one_of_two_classes_cannot_be_scored(write, split, positive):
    kinds = {"train": ["rare", "common"] * 4, "dev": ["rare", "common"], "test": ["rare", "common"]}
    asked = Task("column", "label", positive=positive)
    assert len(to_score(made_splits(write, **kinds), asked)) == 12
    examples = made_splits(write, **kinds | {split: ["common"] * 3})
    with pytest.raises(BadInput, match=rf"a\.jsonl: {split} has no (rare|other), only (common|other) "):
        to_score(examples, asked)


def test_a_class_that_test_lacks_among_several_is_said(write):
    examples = made_splits(write, train=["a", "b", "c"], dev=["a", "b", "c"], test=["a", "b"])
    note = "test has no c (column): scores there are of the other classes"
    assert to_score(examples, task("column", "label")).notes == (note,)


def test_notes_of_all_files_of_a_folder_are_kept(write, tmp_path):
    for split in ("train", "dev", "test"):
        write(f"data/{split}.tsv", "text\tlabel\n" + "".join(f'"{split} {i}"\t{i % 2}\n' for i in range(6)))
    assert len([note for note in Corpus(path=tmp_path / "data")().notes if "TSV has no quoting" in note]) == 3

"""JSONL and CSV: what a row becomes, and what is said about a broken one."""

import json

import pytest

from latentmech.data import read_csv, read_jsonl
from latentmech.errors import BadInput


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def test_texts_with_labels_groups_splits_and_ids(write):
    rows = [
        {"text": "a b", "label": 1, "document": "d", "split": "train", "id": "x"},
        {"text": "c", "label": True, "group": "g", "document": "d", "split": "VALIDATION", "score": 0.5},
        {"text": "e", "label": None, "split": "test", "score": float("nan")},
    ]
    examples = read_jsonl(write("a.jsonl", lines(*rows) + "\n"))
    assert examples.texts == ("a b", "c", "e") and examples.spans is None
    assert examples.ids == ("x", "a-2", "a-3") and examples.groups == ("d", "g", "a-3")
    assert examples.splits == ("train", "dev", "test") and examples.own_splits
    assert examples.columns["label"] == ("1", "true", None)
    assert examples.columns["score"] == (None, "0.5", None)
    assert examples.word_columns == frozenset() and not {"text", "id", "split"} & set(examples.columns)


def test_words_with_labels_of_their_own(write):
    rows = [
        {"words": ["Do", "n't", "go"], "text": "Don't  go", "tag": ["A", None, 3], "genre": "x"},
        {"words": ["Go", "on"], "genre": "y"},
    ]
    examples = read_jsonl(write("a.jsonl", lines(*rows)))
    assert examples.texts == ("Don't  go", "Go on") and examples.words(0) == ("Do", "n't", "go")
    assert examples.words(1) == ("Go", "on")
    assert examples.columns["tag"] == (("A", None, "3"), (None, None)) and examples.columns["genre"] == (
        "x",
        "y",
    )
    assert examples.word_columns == {"tag"} and not examples.own_splits


BROKEN = {
    "json": ('{"text": "a"}\n\n{"text": \n', r"a\.jsonl:3: broken JSON at column \d+"),
    "no object": ("[1]\n", r"a\.jsonl:1: \[1\] is no JSON object"),
    "no text": (lines({"Text": "a"}), r"a\.jsonl:1: no 'text'.*did you mean 'Text'"),
    "text blank": (lines({"text": "a"}, {"text": " "}), r"a\.jsonl:2: the text is ' '"),
    "text number": (lines({"text": 3}), r"a\.jsonl:1: the text is 3"),
    "lengths": (lines({"words": ["a", "b"], "tag": ["X"]}), r"a\.jsonl:1: 1 labels in 'tag' for 2 words"),
    "no list": (
        lines({"words": ["a"], "tag": ["X"]}, {"words": ["b"], "tag": "X"}),
        r"a\.jsonl:2: no list of labels in 'tag'",
    ),
    "list beside text": (
        lines({"text": "a", "tag": ["X"]}),
        r"a\.jsonl:1: \['X'\] as 'tag' of one text; expected one label",
    ),
    "label object": (lines({"text": "a", "tag": {}}), r"a\.jsonl:1: \{\} as a label"),
    "words": (lines({"words": ["a"]}, {"words": ["a", ""]}), r"a\.jsonl:2: the words are \['a', ''\]"),
    "words missing": (lines({"words": ["a"]}, {"text": "b"}), r"a\.jsonl:2: the words are None"),
    "words elsewhere": (
        lines({"words": ["a", "c"], "text": "a b c"}),
        r"a\.jsonl:1: .*does not spell the words",
    ),
    "id twice": (
        lines({"text": "a", "id": 1}, {"text": "b", "id": "1"}),
        r"a\.jsonl:2: the id '1' again.*jsonl:1",
    ),
    "split": (
        lines({"text": "a", "split": "tset"}),
        r"a\.jsonl:1: the split 'tset'; expected train, dev or test",
    ),
    "some splits": (lines({"text": "a", "split": "test"}, {"text": "b"}), r"a\.jsonl:2: the split None"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_row_is_named_with_its_line(write, content, message):
    with pytest.raises(BadInput, match=message) as caught:
        read_jsonl(write("a.jsonl", content))
    assert "\n" not in str(caught.value)


def test_csv_with_quotes_blank_lines_and_an_unnamed_index(write):
    text = ',text, label\n0,"a, ""b""\nc",x \n\n1,d,\n'
    examples = read_csv(write("a.csv", text))
    assert examples.texts == ('a, "b"\nc', "d") and examples.columns == {"label": ("x", None)}


def test_tsv_is_separated_by_tabs(write):
    assert read_csv(write("a.TSV", "text\tlabel\na, b\tx\n")).columns["label"] == ("x",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'text,label\n"a\nb",x\nc,d,e\n',
            r"a\.csv:4: 3 fields in .*; expected 2 as in the header: put quotes",
        ),
        ("text,label,label\na,b,c\n", r"a\.csv:1: the column 'label' twice"),
        ("text|label\na|b\n", r"a\.csv:2: no 'text'.*the row has text.label"),
        ('text,label\na,x\n"b,y\nc,z\n', r"a\.csv:3: broken row"),
        ("text,label\n", r"a\.csv: a header and no row"),
    ],
)
def test_a_broken_csv_is_named_with_its_line(write, content, message):
    with pytest.raises(BadInput, match=message):
        read_csv(write("a.csv", content))

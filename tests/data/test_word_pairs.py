import re
from pathlib import Path

import pytest

from latentmech.data import WordPairs, common_words
from latentmech.errors import BadInput

GOOGLE = ": capital\nAthens Greece Oslo Norway\nOslo Norway Athens Greece\n: gram\nwalk walked go went\n"
REAL = Path(__file__).parents[3] / "shared" / "data" / "analogies"


def read(path, text, **settings):
    path.write_text(text)
    return WordPairs(path=path, **settings)()


def test_googles_file_asks_its_own_questions(tmp_path):
    pairs = read(tmp_path / "q.txt", GOOGLE)
    assert pairs.first == ("Athens", "Oslo", "walk", "go")
    assert pairs.relations == ("capital", "gram")
    assert pairs.questions.tolist() == [[0, 1], [1, 0], [2, 3]]


@pytest.mark.parametrize("between", ["\t", ",", ", ", " "])
def test_two_columns_ask_every_pair_of_every_other(tmp_path, between):
    pairs = read(tmp_path / "[a - b].txt", f"big{between}bigger\n\nold{between}older\nlow{between}lower\n")
    assert pairs.second == ("bigger", "older", "lower") and pairs.relations == ("a - b",)
    assert len(pairs.questions) == 6


def test_a_table_with_a_header_and_a_folder(tmp_path):
    (tmp_path / "one.csv").write_text("relation,first,second\nx,a,b\nx,c,d\ny,New York,e\ny,f,g\n")
    (tmp_path / "two.txt").write_text("h\ti\nj\tk\n")
    pairs = WordPairs(path=tmp_path)()
    assert pairs.relations == ("x", "y", "two") and "New York" in pairs.words
    assert sorted(map(tuple, pairs.questions.tolist())) == [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)]


def test_only_the_first_of_several_answers_is_kept_and_said(tmp_path):
    pairs = read(tmp_path / "p.txt", "a b\na c\nd d\ne f\n")
    assert list(zip(pairs.first, pairs.second, strict=True)) == [("a", "b"), ("e", "f")]
    assert "2 pairs were left out" in pairs.notes[0]


def test_relations_are_chosen_and_limited():
    pairs = WordPairs(relations=["capital", "gender"], limit=5)()
    assert pairs.relations == ("capital", "gender") and len(pairs) == 10
    assert len(pairs.questions) == 2 * 5 * 4
    more = WordPairs(relations=["capital"], limit=6)()
    assert {f for f, r in zip(pairs.first, pairs.relation, strict=True) if r == "capital"} <= set(more.first)


BAD = {
    "a b c\n": r"'a b c'; expected two words",
    ": x\na b c\n": "expected four words below",
    "a b\n": "no two of one relation",
    ": x\n": "no two of one relation",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_files_get_one_line(tmp_path, text):
    with pytest.raises(BadInput, match=BAD[text]) as error:
        read(tmp_path / "bad.txt", text)
    assert "\n" not in str(error.value)


def test_bad_settings_get_one_line(tmp_path):
    for settings, message in (
        ({"path": tmp_path / "no.txt"}, "no 'no.txt'"),
        ({"relations": ["captial"]}, "did you mean 'capital'"),
        ({"relations": "capital"}, r"expected a list, such as relations=\[capital\]"),
        ({"limit": 1}, "expected at least 2"),
    ):
        with pytest.raises(BadInput, match=message):
            WordPairs(**settings)()
    (tmp_path / "h.csv").write_text("first,last\na,b\n")
    with pytest.raises(BadInput, match="expected the columns first and second"):
        WordPairs(path=tmp_path / "h.csv")()


def test_common_words_are_words_once():
    words = common_words()
    assert len(words) == len(set(words)) == 2517
    assert all(re.fullmatch("[a-z]{2,}", word) for word in words)


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
def test_real_files_are_read():
    google = WordPairs(path=REAL / "questions-words.txt")()
    assert len(google.questions) == 19544 and len(google.relations) == 14
    assert len(WordPairs(path=REAL)().relations) == 14 + 27

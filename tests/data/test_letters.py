"""Lettered answers: no letter has the property more often than another."""

import json
from collections import Counter

import pytest

from latentmech.data import Pairs, alternating, letters_of


def write(path, letters):
    """Questions on a few topics, with the letter of the answer that has the property."""
    rows = [
        {
            "prompt": f"Question {i}?\nChoices:\n(A) one\n(B) two",
            "positive": f"({letter})",
            "negative": "(B)" if letter == "A" else "(A)",
            "group": f"topic {i % 10}",
        }
        for i, letter in enumerate(letters)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def counted(contrast, split):
    return Counter(letters_of(contrast.in_split(split).positive.texts))


def test_each_letter_has_the_property_equally_often_in_every_split(tmp_path):
    contrast = Pairs(path=write(tmp_path / "a.jsonl", "AAB" * 40))()
    for split in ("train", "dev", "test"):
        counts = counted(contrast, split)
        assert counts["A"] == counts["B"] > 0
    assert letters_of(contrast.negative.texts) == ["BA"["AB".index(x)] for x in letters_of(contrast.positive.texts)]
    assert any("40 of 120 pairs were left out" in note for note in contrast.notes)


def test_pairs_stay_pairs(tmp_path):
    contrast = Pairs(path=write(tmp_path / "a.jsonl", "AAB" * 40))()
    assert contrast.positive.columns["prompt"] == contrast.negative.columns["prompt"]


def test_it_can_be_switched_off(tmp_path):
    contrast = Pairs(path=write(tmp_path / "a.jsonl", "AAB" * 40), balance=False)()
    assert len(contrast.positive) == 120


def test_one_letter_throughout_is_said(tmp_path):
    contrast = Pairs(path=write(tmp_path / "a.jsonl", "A" * 60))()
    assert len(contrast.positive) == 60
    assert any("always (A)" in note for note in contrast.notes)


def test_the_bundled_questions_are_balanced():
    contrast = Pairs(name="sycophancy")()
    for split in ("train", "dev", "test"):
        counts = counted(contrast, split)
        assert counts["A"] == counts["B"]


@pytest.mark.parametrize("texts", [["(A)", "(B) because"], ["yes"], ["(A)", ""]])
def test_answers_that_are_more_than_a_letter_have_none(texts):
    assert letters_of(texts) is None


def test_any_beginning_of_the_order_is_balanced():
    letters = ["A", "A", "A", "B", "A", "B"]
    order = alternating(letters)
    assert sorted(order) == list(range(6))
    assert [letters[i] for i in order[:4]] == ["A", "B", "A", "B"]

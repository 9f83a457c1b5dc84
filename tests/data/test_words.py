"""What a word is: as `\\w+` has it in English, whole in scripts with vowel signs, pairs where there are no blanks."""

import re

import numpy as np
import pytest

from latentmech.data import Corpus, Library, Pairs, length_in_words, surface_scores, terms_of, units_of, words_of
from latentmech.data.duplicates import copies_among
from latentmech.data.surface import ending

PLAIN = re.compile(r"\w+(?:['’]\w+)?")
SEARCHED = re.compile(r"\b\w\w+\b")

WORDS = {
    "Don't go_on, it’s 5 o'clock": ["don't", "go_on", "it’s", "5", "o'clock"],
    "E\u0301te\u0301 ÉTÉ": ["été", "été"],
    "भारत की राजधानी दिल्ली": ["भारत", "की", "राजधानी", "दिल्ली"],
    "தமிழ் மொழி": ["தமிழ்", "மொழி"],
    "বাংলা ভাষা": ["বাংলা", "ভাষা"],
    "می\u200cروم خانه": ["می\u200cروم", "خانه"],
    "한국어 문장": ["한국어", "문장"],
    "我喜欢北京。好": ["我喜", "喜欢", "欢北", "北京", "好"],
    "東京タワーへ ABC": ["東京", "京タ", "タワ", "ワー", "ーへ", "abc"],
    "ยงง่าย": ["ยง", "งง่", "ง่า", "าย"],
    "?! …": [],
}


@pytest.mark.parametrize("text", WORDS)
def test_words_of_every_script(text):
    assert words_of(text) == WORDS[text]


def test_english_words_are_those_of_the_usual_patterns():
    texts = [*Library()().documents.texts, *Pairs(name="truth")().joint.texts]
    assert [words_of(text) for text in texts] == [PLAIN.findall(text.lower()) for text in texts]
    assert [terms_of(text) for text in texts] == [SEARCHED.findall(text.lower()) for text in texts]


def test_units_and_lengths_where_there_are_no_blanks():
    assert units_of("So, it’s here.") == ["So,", "it’s", "here."] and length_in_words("So, it’s here.") == 3
    assert units_of("我在 北京。") == ["我", "在", "北", "京", "。"] and length_in_words("我在 北京。") == 3
    assert terms_of("a 好 I'm 我们") == ["好", "我们"]


@pytest.mark.parametrize(("text", "end"), [("दिल्ली", "word"), ("好。", "。"), ("go!", "!"), ("go 5", "word"), ("", "")])
def test_a_vowel_sign_at_the_end_is_no_punctuation(text, end):
    assert ending(text) == end


def test_a_bag_of_words_reads_chinese():
    train = ["我喜欢北京的春天", "我讨厌北京的春天", "他喜欢这个城市", "他讨厌这个城市"]
    new = ["她很喜欢这里", "她很讨厌这里"]
    scores = surface_scores(train, np.array([1, 0, 1, 0]), 2, new)["bag_of_words"]
    assert scores.argmax(1).tolist() == [1, 0]


def test_near_duplicates_are_found_in_chinese():
    text = "北京是中华人民共和国的首都和政治中心"
    assert copies_among([f"{text}。", "上海是中国最大的城市之一"], [f"{text}吗"])[1].tolist() == [True, False]


def test_texts_without_blanks_are_said(write):
    rows = "".join(f"这是第{i}个句子,{i % 2}\n" for i in range(12)) + "".join(f"row {i},{i % 2}\n" for i in range(12))
    path = write("a.csv", f"text,label\n{rows}")
    for notes in (Corpus(path=path)().notes, Pairs(path=path)().notes):
        assert any(re.match(r"\d+ of \d+ texts are in a script without blanks between words", note) for note in notes)
    assert not Corpus(name="treebank")().notes

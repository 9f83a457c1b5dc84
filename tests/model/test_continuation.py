"""The next token is that of text and word together, whatever the tokenizer does with blanks and brackets."""

import pytest
from model.test_tokens import gpt2_style, reader, sentencepiece_style

from latentmech.errors import BadInput
from latentmech.model import next_words


def first(tokenizer, text, *words):
    """What is read, and the token of each word."""
    (found,) = next_words(reader(tokenizer), [text], [words])
    return found.text, tokenizer.convert_ids_to_tokens([found.first[word] for word in words])


def test_a_letter_behind_a_bracket_is_the_bare_letter():
    tokenizer = sentencepiece_style("▁A", "▁B", "A", "B", "(", "▁(", "hello", "▁hello")
    assert first(tokenizer, "hello (", "A", "B") == ("hello (", ["A", "B"])
    alone = tokenizer("A", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(alone) == ["▁A"]  # which cannot come there


def test_a_blank_at_the_end_belongs_to_the_words():
    tokenizer = sentencepiece_style("▁I", "▁As", "▁hello")
    assert first(tokenizer, "hello ", "I", "As") == ("hello", ["▁I", "▁As"])
    assert first(gpt2_style("a", " b"), "a ", "b", "be") == ("a", ["Ġb", "Ġb"])


def test_a_blank_that_is_a_token_of_its_own_belongs_to_the_text(tiny):
    (found,) = next_words(tiny, ["it was"], [[" good", " bad"]])
    assert found.text == "it was "
    assert [tiny.tokenizer.decode([i]) for i in found.first.values()] == ["g", "b"]


def test_what_joins_with_the_end_of_the_text_begins_before_it():
    tokenizer = gpt2_style("(A", "(B", "(")
    assert first(tokenizer, "is (", "A", "B") == ("is ", ["(A", "(B"])


def test_words_that_begin_alike_are_told_apart_no_further():
    assert first(gpt2_style(" I"), "a", " I am", " I was") == ("a", ["ĠI", "ĠI"])


def test_a_text_that_cannot_be_cut_is_refused():
    with pytest.raises(BadInput, match="joins what follows with the end of"):
        first(gpt2_style("ab", "ac"), "a", "b", "c")
    with pytest.raises(BadInput, match="no words were given"):
        next_words(reader(gpt2_style()), ["a"], [[]])

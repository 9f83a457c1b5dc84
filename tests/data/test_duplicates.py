"""Which test texts train has seen."""

from latentmech.data import cross_split_duplicates
from latentmech.data.duplicates import shingles

LONG = "the quick brown fox jumps over the lazy dog today and"  # 11 words, 9 trigrams


def found(plain, *tests, seen=(LONG,), split="train"):
    rows = [(text, "a", split) for text in seen] + [(text, "b", "test") for text in tests]
    result = cross_split_duplicates(plain(*rows))
    assert result.example.tolist() == list(range(len(seen), len(rows)))
    return result.exact.tolist(), result.near.tolist()


def test_exact_is_up_to_white_space_and_not_also_near(plain):
    assert found(plain, LONG.replace(" ", "  "), "something else entirely") == ([True, False], [False, False])


def test_dev_counts_as_seen(plain):
    assert found(plain, LONG, split="dev") == ([True], [False])


def test_case_digits_and_punctuation_are_folded(plain):
    tests = ["At 9, Mr. FOX left!", "at 10 mr bear left"]
    assert found(plain, *tests, seen=["at 17 mr fox left"]) == ([False, False], [True, False])


def test_the_threshold_is_four_fifths(plain):
    """Words behind the text add trigrams: 9 common of 11 are 0.82, 9 of 12 are 0.75."""
    assert found(plain, LONG + " so on", LONG + " so on then") == ([False, False], [True, False])


def test_exactly_four_fifths_is_near(plain):
    assert found(plain, "a b c d e f", seen=["a b c d e f g"])[1] == [True]


def test_short_texts_are_compared_whole_and_wordless_ones_not_at_all(plain):
    assert found(plain, "Yes!", "yes sir", "?!", seen=["yes", "..."])[1] == [True, False, False]
    assert shingles("?!") == frozenset() and shingles("Yes, sir") == {"yes sir"}


def test_a_corpus_without_test_texts(plain):
    assert found(plain) == ([], [])

"""Splits share no group and no text; a limit keeps whole groups of every split."""

from collections import Counter

import pytest

from latentmech.data import Examples, limited, split_by_group
from latentmech.errors import BadInput

SHARES = (0.6, 0.2, 0.2)


def documents(sizes):
    """One document per size, each of one-word texts."""
    rows = [(f"text {group} {at}", f"g{group}") for group, size in enumerate(sizes) for at in range(size)]
    texts, groups = zip(*rows, strict=True)
    return Examples(ids=texts, texts=texts, groups=groups, splits=("",) * len(rows), source="made")


def counts(examples):
    return Counter(examples.splits)


def test_groups_stay_whole_and_shares_are_met():
    examples = split_by_group(documents([5] * 40), SHARES, seed=0)
    assert len(set(zip(examples.groups, examples.splits, strict=True))) == 40
    assert counts(examples) == {"train": 120, "dev": 40, "test": 40} and not examples.own_splits


def test_common_texts_tie_groups_together_along_chains(plain):
    """a-b share one text and b-c another, up to white space; so a, b and c stay together under every seed."""
    rows = [("one two", "a"), (" one  two\n", "b"), ("three", "b"), ("three", "c")]
    rows += [(f"own {at}", f"g{at}") for at in range(6)]
    for seed in range(12):
        assert len(set(split_by_group(plain(*rows), SHARES, seed).splits[:4])) == 1


def test_the_seed_decides_and_the_order_of_rows_does_not():
    examples = documents(range(1, 30))
    split = dict(zip(examples.ids, split_by_group(examples, SHARES, 1).splits, strict=True))
    reversed_rows = examples.select(range(len(examples) - 1, -1, -1))
    again = split_by_group(reversed_rows, SHARES, 1)
    assert dict(zip(again.ids, again.splits, strict=True)) == split
    assert split_by_group(examples, SHARES, 2).splits != split_by_group(examples, SHARES, 1).splits


@pytest.mark.parametrize("seed", range(8))
def test_one_huge_document_goes_to_train(seed):
    examples = split_by_group(documents([60] + [1] * 40), SHARES, seed)
    assert counts(examples) == {"train": 60, "dev": 20, "test": 20}


def test_sizes_are_words_where_there_are_words(plain):
    """Six texts of one group weigh six words together, as the one text of six words does."""
    rows = plain(*[("a", "x")] * 6, ("b", "y"), ("c", "z"))
    spans = [((0, 1),)] * 6 + [((0, 1),) * 6, ((0, 1),) * 12]
    examples = Examples(**{**vars(rows), "spans": tuple(spans)})
    assert examples.sizes() == (1,) * 6 + (6, 12)
    assert split_by_group(examples, (0.5, 0.25, 0.25), 0).splits[-1] == "train"


@pytest.mark.parametrize("sizes", [[10, 10, 10], [50, 1, 1], [1, 1, 50, 1]])
def test_no_split_is_empty(sizes):
    for seed in range(8):
        assert set(split_by_group(documents(sizes), SHARES, seed).splits) == {"train", "dev", "test"}


def test_too_few_groups(plain):
    with pytest.raises(BadInput, match=r"2 groups without common texts in made; expected at least 3"):
        split_by_group(plain(("a", "x"), ("b", "y"), ("b", "z")), SHARES, 0)


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.8, 0.2, 0.0), (0.6, 0.2, 0.3)])
def test_shares_must_be_three_and_add_up(shares):
    with pytest.raises(BadInput, match="three positive shares that add up to 1"):
        split_by_group(documents([1] * 5), shares, 0)


def test_a_limit_keeps_whole_groups_of_each_split_and_is_nested():
    examples = split_by_group(documents([5] * 40), SHARES, seed=0)
    small, large = limited(examples, 50, seed=3), limited(examples, 100, seed=3)
    assert counts(small) == {"train": 30, "dev": 10, "test": 10} and len(large) == 100
    assert set(small.ids) < set(large.ids)
    assert set(Counter(small.groups).values()) == {5}
    assert limited(examples, 50, seed=4).ids != small.ids


def test_a_limit_above_the_corpus_keeps_it_and_a_tiny_one_keeps_a_group_of_each_split():
    examples = split_by_group(documents([5] * 10), SHARES, seed=0)
    assert limited(examples, 1000, 0) is examples
    assert counts(limited(examples, 1, 0)) == {"train": 5, "dev": 5, "test": 5}


@pytest.mark.parametrize(("limit", "kept"), [(34, 30), (36, 40)])
def test_a_limit_is_met_as_nearly_as_whole_groups_can(limit, kept):
    assert len(limited(documents([10] * 10), limit, 0)) == kept

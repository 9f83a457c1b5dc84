"""Surface features, nulls, stability and selection, on data whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentmech.data import Examples, contrast_of
from latentmech.direction import Parts, isotropic_directions, method_of, unit
from latentmech.direction.sample import matched, standardised_distance, surface_of
from latentmech.direction.stability import Stability, stability
from latentmech.statistics import Estimate, auroc, aurocs, folded


def test_many_aurocs_are_each_the_one():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (60, 7)).astype(float)
    positive = rng.random(60) < 0.4
    assert aurocs(scores, positive) == pytest.approx([auroc(column, positive) for column in scores.T])
    assert folded(np.array([0.2, 0.7])) == pytest.approx([0.8, 0.7])


def test_each_surface_feature_finds_its_own_difference():
    train = [f"{'longer words here' if y else 'short'} {i}{'.' if y else '!'}" for i in range(20) for y in (1, 0)]
    labels = np.array([bool(y) for _ in range(20) for y in (1, 0)])
    scores = surface_of(train, labels, train)
    for name in ("length", "final_punctuation", "bag_of_words"):
        assert auroc(scores[name], labels) == 1
    same = ["a b c."] * 40
    for name, tied in surface_of(same, labels, same).items():
        assert auroc(tied, labels) == 0.5, name


def test_equal_shares_are_ties_whatever_the_counts():
    train = ["a!"] * 3 + ["b?"] * 6 + ["c"] * 4
    labels = np.array([1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0], dtype=bool)
    scores = surface_of(train, labels, ["a!", "b?", "c"])["final_punctuation"]
    assert scores == pytest.approx([np.log(3 / 2), np.log(3), 0], abs=1e-8)
    twice = surface_of(train + train, np.tile(labels, 2), ["c", "c", "never seen"])["final_punctuation"]
    assert len(set(twice)) == 1


def test_matched_texts_agree_in_length_and_last_character():
    texts = ["a b."] * 5 + ["a b c!"] * 4 + ["a b."] * 2 + ["a b c!"] * 9 + ["x?"] * 3
    labels = np.array([True] * 9 + [False] * 14)
    kept = matched(texts, labels, seed=0)
    assert len(kept) == 2 * (2 + 4)
    for text in set(texts):
        of_kind = [labels[i] for i in kept if texts[i] == text]
        assert sum(of_kind) * 2 == len(of_kind)


def planted(n, size, strength, seed=0):
    generator = torch.Generator().manual_seed(seed)
    truth = unit(torch.randn(size, generator=generator))
    positive = np.arange(2 * n) < n
    rows = torch.randn(2 * n, size, generator=generator)
    rows[positive] += strength * truth
    parts = Parts(
        positive=positive,
        split=np.array((["train"] * (n - 20) + ["dev"] * 10 + ["test"] * 10) * 2),
        group=np.tile(np.arange(n) // 2, 2),
        partners=np.stack([np.arange(n), np.arange(n) + n], axis=1),
    )
    return rows, parts, truth


def test_split_halves_agree_where_there_is_a_direction_and_not_where_there_is_none():
    rows, parts, _ = planted(200, 24, 3.0)
    strong = stability(method_of("difference_of_means"), parts, rows, 20, 0)
    rows, parts, _ = planted(200, 24, 0.0)
    none = stability(method_of("difference_of_means"), parts, rows, 20, 0)
    assert strong.cosine.value > 0.9 and abs(none.cosine.value) < 0.2
    assert strong.whole > strong.cosine.value
    assert (strong.cosine.n, strong.cosine.kind) == (20, "range")


def test_the_number_of_texts_for_a_cosine_is_right():
    small = stability(method_of("difference_of_means"), planted(120, 24, 1.0)[1], planted(120, 24, 1.0)[0], 40, 0)
    wanted = round(small.texts_needed)
    rows, parts, _ = planted(wanted + 20, 24, 1.0, seed=0)
    large = stability(method_of("difference_of_means"), parts, rows, 40, 0)
    assert large.cosine.value == pytest.approx(0.9, abs=0.06)


def test_pairs_are_kept_only_where_both_members_are_there():
    rows, parts, _ = planted(40, 8, 1.0)
    sample = parts.sample(rows, parts.within("train"))
    assert len(sample.pairs) == 20 and bool(sample.positive[sample.pairs[:, 0]].all())
    assert not bool(sample.positive[sample.pairs[:, 1]].any())
    half = parts.sample(rows, parts.within("train")[:20])
    assert len(half.pairs) == 0


def test_random_directions_are_unit_vectors_and_repeatable():
    drawn = isotropic_directions(50, 16, 3)
    assert torch.allclose(drawn.norm(dim=1), torch.ones(50), atol=1e-6)
    assert torch.equal(drawn, isotropic_directions(50, 16, 3)) and not torch.equal(
        drawn, isotropic_directions(50, 16, 4)
    )


def test_the_standardised_distance():
    scores = np.array([0.0, 2.0, 10.0, 12.0])
    assert standardised_distance(scores, np.array([False, False, True, True])) == pytest.approx(10.0)
    assert standardised_distance(np.ones(4), np.array([False, False, True, True])) == 0


@pytest.mark.parametrize(
    ("cosine", "known"), [(0.5, True), (0.0, False), (-0.2, False), (1.0, False), (1 - 1e-9, False)]
)
def test_how_many_texts_are_needed_is_not_told_from_a_cosine_that_says_nothing(cosine, known):
    needed = Stability(Estimate(cosine), 100.0).texts_needed
    assert np.isfinite(needed) == known and (not known or needed == pytest.approx(900))


def test_what_cannot_be_halved_has_no_cosine():
    rows, parts, _ = planted(40, 8, 1.0)
    whole = replace(parts, group=np.zeros_like(parts.group))
    stable = stability(method_of("difference_of_means"), whole, rows, 5, 0)
    assert np.isnan(stable.cosine.value) and stable.cosine.n == 0 and np.isnan(stable.texts_needed)


def test_groups_that_share_a_text_are_one():
    texts = ("a b", "c d", "e f", "a  b", "g h", "i j")
    joint = Examples(
        ids=tuple("123456"), texts=texts, groups=tuple("xxyzzw"), splits=("train",) * 3 + ("dev", "test", "test")
    )
    parts = Parts.of(contrast_of(joint, np.array([1, 0, 1, 0, 1, 0], dtype=bool), paired=False))
    x, y, z, w = (parts.group[i] for i in (0, 1, 2, 5))  # positives first: 1, 3, 5, then 2, 4, 6
    assert x == parts.group[3] == parts.group[4] == z and len({x, y, w}) == 3

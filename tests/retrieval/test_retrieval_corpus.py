"""Near-duplicates by a threshold from labelled pairs, and clusters against labels."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentmech.data import TextPairs
from latentmech.errors import BadInput
from latentmech.retrieval import VectorDatabase, Vectors
from latentmech.retrieval.clusters import agreement, agreement_of_words
from latentmech.retrieval.near_duplicates import best_threshold, near_duplicates, shared_trigrams, threshold_of


def test_the_bundled_pairs_are_halved_by_kind():
    pairs = TextPairs()()
    assert len(pairs.duplicate) == 90 and pairs.duplicate.sum() == 40
    assert pairs.dev.sum() == 45 and pairs.duplicate[pairs.dev].sum() == 20
    other = TextPairs(seed=1)()
    assert (other.dev != pairs.dev).any() and other.left.texts == pairs.left.texts


def test_a_threshold_separates_what_can_be_separated():
    similar, same = np.array([0.1, 0.2, 0.3, 0.8, 0.9]), np.array([False, False, False, True, True])
    assert best_threshold(similar, same) == pytest.approx(0.55)
    assert best_threshold(similar, ~same) == pytest.approx(0.15)  # as many right as can be, from above
    assert best_threshold(np.ones(4), np.array([True, False, True, False])) == 1


def test_a_threshold_is_chosen_on_dev_and_read_on_test():
    pairs = TextPairs()()
    known = threshold_of(pairs.duplicate + 0.0, pairs)
    assert known.value == 0.5 and known.f1.value == 1 and known.auroc.value == 1
    turned = np.where(pairs.dev, pairs.duplicate, ~pairs.duplicate) + 0.0
    against = threshold_of(turned, pairs)
    assert against.dev_f1 == 1 and against.f1.value == 0 and against.auroc.value == 0


def test_pairs_that_share_a_text_count_once(tmp_path):
    texts = [
        ("a", "b", True),
        ("b", "c", False),
        ("d", "e", True),
        ("f", "c", False),
        ("g", "h", True),
        ("i", "j", False),
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(json.dumps({"a": a, "b": b, "duplicate": same}) for a, b, same in texts))
    pairs = TextPairs(path=path)()
    assert len(set(pairs.groups[[0, 1, 3]])) == 1 and len(set(pairs.groups)) == 4
    everything = replace(pairs, dev=np.arange(6) == 2)
    assert threshold_of(np.arange(6.0), everything).f1.groups == 3


def test_shared_trigrams():
    left = TextPairs()()
    same = replace(left, right=left.left)
    assert shared_trigrams(same).min() == 1 and 0 < shared_trigrams(left).mean() < 0.5
    by_hand = replace(
        left,
        left=replace(left.left, texts=("one two three four",), ids=("a",)),
        right=replace(left.right, texts=("one two three five six",), ids=("b",)),
    )
    assert shared_trigrams(by_hand).tolist() == [1 / 4]


def test_near_duplicates_in_an_index(tmp_path):
    torch.manual_seed(0)
    rows = torch.randn(60, 32)
    rows[7] = 3 * rows[3] + 0.1 * torch.randn(32)
    rows[20] = rows[9] + 0.3 * torch.randn(32)
    own = Vectors(tuple(f"t{i:02d}" for i in range(60)), rows, {"model": "m"})
    index = VectorDatabase(uri=str(tmp_path)).open("x", own.card, 32)
    index.add(own)
    assert [pair[:2] for pair in near_duplicates(index, 0.8)] == [("t03", "t07"), ("t09", "t20")]
    assert near_duplicates(index, 0.99)[0][2] > 0.99


def test_clusters_agree_with_what_is_there_and_not_with_shuffled_labels():
    torch.manual_seed(0)
    labels = [str(i % 4) for i in range(80)]
    rows = 4 * torch.eye(16)[[int(label) for label in labels]] + torch.randn(80, 16)
    found = agreement(Vectors(tuple(map(str, range(80))), rows, {}), labels, seed=0)
    assert found["ari"].ci_low > 0.95 and found["ami"].ci_low > 0.95
    assert found["shuffled_ari"].ci_low > -0.15 and found["shuffled_ari"].ci_high < 0.15
    assert found["ari"].kind == "range" and found["ari"].n == 5
    noise = agreement(Vectors(tuple(map(str, range(80))), torch.randn(80, 16), {}), labels, seed=0)["ari"]
    assert noise.ci_low < noise.value < noise.ci_high, "every seed has a start of its own"
    texts = [f"{'red green blue grey'.split()[int(label)]} thing {i}" for i, label in enumerate(labels)]
    assert agreement_of_words(texts, labels, seed=0)["ari"].value > 0.5


def test_bad_pairs(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"a": "x y", "b": "x", "duplicate": "yes"}))
    with pytest.raises(BadInput, match="duplicate is 'yes'; expected true or false"):
        TextPairs(path=path)()
    path.write_text("\n".join(json.dumps({"a": f"x {i}", "b": "x", "duplicate": True}) for i in range(4)))
    with pytest.raises(BadInput, match="0 pairs with duplicate=false"):
        TextPairs(path=path)()


def test_no_near_duplicate_of_a_text_with_many_is_lost(tmp_path):
    torch.manual_seed(0)
    rows = torch.cat([torch.ones(30, 16) + 0.01 * torch.randn(30, 16), torch.randn(20, 16)])
    own = Vectors(tuple(f"t{i:02d}" for i in range(50)), rows, {"model": "m"})
    index = VectorDatabase(uri=str(tmp_path)).open("x", own.card, 16)
    index.add(own)
    assert len(near_duplicates(index, 0.99)) == 30 * 29 / 2

"""Contrasts: read from every form, split without leaking, balanced; and what the bundled ones promise."""

import json
from collections import Counter

import numpy as np
import pytest

from latentmech.data import PROMPT, Pairs, bundled_pairs
from latentmech.errors import BadInput
from latentmech.statistics import auroc


def lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_pairs_stay_together_and_keep_their_order(tmp_path):
    rows = [{"positive": f"good {i}", "negative": f"bad {i}", "group": f"g{i % 6}"} for i in range(30)]
    contrast = Pairs(path=lines(tmp_path / "p.jsonl", rows))()
    assert contrast.paired and len(contrast) == 60
    joint = contrast.joint
    for a, b in contrast.partners:
        assert joint.texts[a].replace("good", "bad") == joint.texts[b]
        assert joint.splits[a] == joint.splits[b] and joint.groups[a] == joint.groups[b]
    for group in set(joint.groups):
        assert len({s for s, g in zip(joint.splits, joint.groups, strict=True) if g == group}) == 1
    assert contrast.labels.sum() == 30 and all(t.startswith("good") for t in contrast.positive.texts)


def test_labelled_texts_are_balanced_in_every_split(tmp_path):
    rows = [{"text": f"t {i}", "label": "yes" if i % 4 == 0 else "no"} for i in range(120)]
    contrast = Pairs(path=lines(tmp_path / "p.jsonl", rows))()
    assert not contrast.paired
    for split in ("train", "dev", "test"):
        part = contrast.in_split(split)
        assert len(part.positive) == len(part.negative) > 0
    assert "left out" in contrast.notes[-1]
    unbalanced = Pairs(path=tmp_path / "p.jsonl", balance=False)()
    assert (len(unbalanced.positive), len(unbalanced.negative)) == (30, 90)


def test_a_folder_of_files_named_after_label_and_split(tmp_path):
    for kind in ("harmful", "harmless"):
        for split in ("train", "val", "test"):
            rows = [{"instruction": f"{kind} {split} {i}", "category": None} for i in range(5)]
            (tmp_path / f"{kind}_{split}.json").write_text(json.dumps(rows))
    (tmp_path / "benchmark.json").write_text(json.dumps([{"instruction": "x"}]))
    contrast = Pairs(path=tmp_path, positive="harmful")()
    assert set(contrast.positive.splits) == {"train", "dev", "test"}
    assert all(text.startswith("harmful") for text in contrast.positive.texts)
    assert "benchmark.json" in contrast.notes[0]
    with pytest.raises(BadInput, match=r"labels of .* are harmful, harmless; expected one called positive"):
        Pairs(path=tmp_path)()


def test_answers_are_split_by_their_prompts(tmp_path):
    rows = [
        {"question": f"q{i}?", "answer_matching_behavior": "(A)", "answer_not_matching_behavior": "(B)"}
        for i in range(20)
    ]
    (tmp_path / "ab.json").write_text(json.dumps(rows))
    contrast = Pairs(path=tmp_path / "ab.json")()
    assert contrast.are_answers and set(contrast.positive.texts) == {"(A)"}
    assert {len(contrast.in_split(s).positive) for s in ("train", "dev", "test")} == {12, 4}
    assert contrast.positive.columns[PROMPT] == contrast.negative.columns[PROMPT]


BAD = {
    '{"positive": "a"}': "neither positive and negative nor text and label",
    '{"positive": "a", "negative": ""}': "negative is ''; expected some words",
    '{"text": "a", "label": "true"}': "every text of .* is labelled true",
}


@pytest.mark.parametrize("row", BAD)
def test_bad_rows_are_named(row, tmp_path):
    (tmp_path / "p.jsonl").write_text(row)
    with pytest.raises(BadInput, match=BAD[row]):
        Pairs(path=tmp_path / "p.jsonl")()


def test_the_bundled_contrasts_are_there():
    wanted = ["formality", "language", "refusal", "refusal_subtle", "sentiment", "sycophancy", "truth"]
    assert bundled_pairs() == wanted


def test_no_subtle_request_of_test_stands_in_train_of_the_blatant_ones():
    blatant, subtle = (Pairs(name=name)().joint for name in ("refusal", "refusal_subtle"))
    trained = {text for text, split in zip(blatant.texts, blatant.splits, strict=True) if split == "train"}
    assert not trained & {text for text, split in zip(subtle.texts, subtle.splits, strict=True) if split == "test"}


@pytest.mark.parametrize("name", bundled_pairs())
def test_bundled_contrasts_match_in_length_and_punctuation(name):
    contrast = Pairs(name=name)()
    positive, negative = contrast.positive.texts, contrast.negative.texts
    assert len(positive) == len(negative) >= 150 and contrast.paired
    assert len(set(contrast.positive.groups)) >= 15
    prompts = contrast.positive.columns.get(PROMPT, positive)
    assert len(set(prompts)) == len(prompts)
    ends = [(a[-1] if not a[-1].isalnum() else "w", b[-1] if not b[-1].isalnum() else "w")
            for a, b in zip(positive, negative, strict=True)]  # fmt: skip
    assert all(a == b for a, b in ends)
    lengths = np.array([len(t) for t in (*positive, *negative)], dtype=float)
    assert auroc(lengths, contrast.labels) == pytest.approx(0.5, abs=0.05)


def test_the_sycophantic_letter_is_as_often_the_one_as_the_other():
    assert Counter(Pairs(name="sycophancy", balance=False)().positive.texts) == {"(A": 90, "(B": 90}

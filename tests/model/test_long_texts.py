"""Texts longer than the model reads: all are named at once, and cut or left out where the data say so."""

import json

import pytest

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Pairs
from latentmech.direction import DirectionStudy
from latentmech.errors import BadInput
from latentmech.model import Model, Tiny, levels_of, tokenise, within
from latentmech.probe import ProbeStudy

SPLITS = ("train", "train", "train", "dev", "test")
WORDS = "the sun was warm and the river was cold again ".split()


@pytest.fixture
def small():
    """A model that reads 128 tokens."""
    return Model(name="small", source=Tiny(n_ctx=128))


def text(i, n):
    return f"row {i} says {' '.join(WORDS[j % len(WORDS)] for j in range(n))}"


@pytest.fixture
def rows(tmp_path):
    """Forty texts, of which every fourth is long."""
    path = tmp_path / "rows.jsonl"
    texts = [
        {"text": text(i, 60 if i % 4 == 0 else 4), "label": "ab"[i // 2 % 2], "split": SPLITS[i % 5]} for i in range(40)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in texts))
    return path


def test_all_of_them_are_counted_and_some_named(small, rows):
    examples = within(small, Corpus(path=rows)())
    with pytest.raises(BadInput, match=r"10 of 40 texts are longer than the 128 tokens that small reads: rows-1 has "
                                       r"\d+(, rows-\d+ has \d+){4} and 5 more; .*data.too_long"):  # fmt: skip
        tokenise(small, examples.texts, examples.ids)


def test_they_can_be_cut_or_left_out(small, rows):
    whole = Corpus(path=rows)()
    for how, said in (("cut", "cut"), ("leave_out", "left out")):
        found = within(small, Corpus(path=rows, too_long=how)())
        assert tokenise(small, found.texts, found.ids).lengths.max() <= 128
        note = f"10 of 40 texts are longer than the 128 tokens that small reads, and were {said}: rows-1, "
        assert found.notes[-1].startswith(note)
        kept = dict(zip(found.ids, found.texts, strict=True))
        for name, before in zip(whole.ids, whole.texts, strict=True):
            long = len(before.split()) > 20
            assert (name in kept) == (how == "cut" or not long)
            assert name not in kept or (before.startswith(kept[name]) and (kept[name] != before) == long)
    lengths = tokenise(small, within(small, Corpus(path=rows, too_long="cut")()).texts, whole.ids).lengths
    assert lengths.max() == 128


def test_words_behind_a_cut_go_with_their_labels(small, tmp_path):
    path = tmp_path / "words.jsonl"
    rows = [{"words": [f"w{i}", *WORDS] * (6 if i % 2 else 1), "tag": ["X", *"abcdefghij"] * (6 if i % 2 else 1)}
            for i in range(12)]  # fmt: skip
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = within(small, Corpus(path=path, too_long="cut")())
    for i in range(12):
        words, tags = found.words(i), found.columns["tag"][i]
        assert len(words) == len(tags) and words == tuple(rows[int(words[0][1:])]["words"][: len(words)])
    assert max(found.sizes()) < 66 and min(found.sizes()) == 11
    store = ActivationStore(root=str(tmp_path / "store"))
    assert len(
        store.get(small, found, levels_of(small.n_layers), "word_last").level("blocks.0.hook_resid_post")
    ) == sum(found.sizes())


def test_a_probe_reads_what_is_left_and_says_so(small, rows, tmp_path):
    settings = {"column": "label", "task": "column", "random_init": False, "shuffles": 0, "code_length": False,
                "draws": 100}  # fmt: skip
    study = ProbeStudy(data=Corpus(path=rows, too_long="leave_out"), **settings)
    report = study(small, ActivationStore(root=str(tmp_path / "store")))
    assert any("10 of 40 texts are longer than the 128 tokens that small reads" in note for note in report.notes)


def test_pairs_are_left_out_whole(small, tmp_path):
    path = tmp_path / "pairs.jsonl"
    pairs = [{"positive": text(i, 60 if i % 8 == 0 else 4), "negative": f"no {text(i, 4)}"} for i in range(40)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in pairs))
    study = DirectionStudy(data=Pairs(path=path, too_long="leave_out"))
    contrast = study._read(small)
    assert len(contrast.positive) == len(contrast.negative) == 35
    assert (
        "10 of 80 texts were left out, for each is longer than small reads, or its partner does" in contrast.notes[-1]
    )
    assert len(DirectionStudy(data=Pairs(path=path))._read(small)) == 80

"""The bundled treebank holds what the tasks need; English-EWT reads as its own statistics say."""

from itertools import chain
from pathlib import Path

import pytest

from latentmech.data import TASKS, Corpus, cross_split_duplicates, flat

EWT = Path(__file__).resolve().parents[3] / "shared" / "data" / "ud_ewt"
UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"


@pytest.fixture(scope="module")
def bundled():
    return Corpus()()


def test_the_bundled_treebank_is_large_enough_and_split_by_document(bundled):
    assert len(bundled) >= 600 and len(set(bundled.ids)) == len(bundled)
    assert len(set(bundled.groups)) >= 60 and bundled.source == "bundled treebank"
    assert not cross_split_duplicates(bundled).exact.any()


def test_the_bundled_treebank_has_every_label(bundled):
    assert set(flat(bundled, TASKS["pos"]).classes) == set(UPOS.split())
    assert {"Number", "Tense", "Degree", "PronType"} <= bundled.word_columns
    tags = set(chain.from_iterable(bundled.columns["Entity"]))
    assert {f"{where}-{kind}" for where in "BI" for kind in ("PER", "ORG", "LOC", "MISC")} <= tags
    assert all(len(flat(bundled, task).in_split(s).classes) > 1 for task in TASKS.values() for s in ("dev", "test"))


def test_the_bundled_spans_spell_the_forms(bundled):
    assert all(bundled.words(i) == bundled.columns["form"][i] for i in range(len(bundled)))


@pytest.mark.real
@pytest.mark.skipif(not EWT.is_dir(), reason="UD English-EWT is not beside the repository")
def test_english_ewt():
    examples = Corpus(EWT)()
    assert [examples.splits.count(split) for split in ("train", "dev", "test")] == [12544, 2001, 2077]
    dev = flat(examples, TASKS["pos"]).in_split("dev")
    assert len(dev) == 25147 and (dev.label == "NOUN").sum() == 4210
    spelled = [examples.words(i) == examples.columns["form"][i] for i in range(len(examples))]
    assert all(spelled)
    duplicates = cross_split_duplicates(examples)
    assert duplicates.exact.sum() == 114 and duplicates.near.sum() == 69

"""Pairs of mentions: the bundled set and what it promises, GAP and WinoBias, and brackets that are wrong."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from latentmech.data import Corpus
from latentmech.errors import BadInput

REAL = Path(__file__).parents[3] / "shared" / "data" / "coref"

GAP = "ID\tText\tPronoun\tPronoun-offset\tA\tA-offset\tA-coref\tB\tB-offset\tB-coref\tURL\n" + "".join(
    f't-{i}\tCarol [sic] met "Alice {i}" before she left.\tshe\t33\tCarol\t0\tTRUE\tAlice {i}\t17\tFALSE\thttp://x/{i}\n'
    for i in range(6)
)
PRO = (
    "1 [The pilot] met the nurse because [she] wrote to [her] boss.\n"
    "2 The pilot met [the nurse] because [he] was ill.\n"
)
ANTI = PRO.replace("[she]", "[he]").replace("[he] was", "[she] was")


def pairs(examples):
    return [(*examples.words(i), label) for i, label in enumerate(examples.columns["label"])]


@pytest.fixture(scope="module")
def bundled():
    return Corpus(name="coreference")()


def test_the_bundled_set_has_many_texts_with_two_mentions(bundled):
    assert len(set(bundled.texts)) >= 300 and len(set(bundled.groups)) >= 40
    assert set(bundled.sizes()) == {2}
    assert len(set(zip(bundled.texts, bundled.spans, strict=True))) == len(bundled)
    for split in ("train", "dev", "test"):
        assert bundled.splits.count(split) > 100


def test_no_single_cue_of_the_bundled_set_tells_yes_from_no(bundled):
    balance = defaultdict(Counter)
    for i, (first, second, label) in enumerate(pairs(bundled)):
        (a, b), (c, _) = bundled.spans[i]
        near = all(
            a >= other[0][0]
            for other, text in zip(bundled.spans, bundled.texts, strict=True)
            if text == bundled.texts[i]
        )
        for cue in (first, second.lower(), bundled.texts[i], f"near {near}", len(bundled.texts[i][b:c].split())):
            balance[bundled.groups[i], cue][label] += 1
    assert all(counts["yes"] == counts["no"] for counts in balance.values())
    assert {cue for _, cue in balance} >= {"near True", "near False", "she", "himself", 1, 5}


def test_both_persons_of_the_bundled_set_agree_with_the_pronoun(bundled):
    gender = {"she": "f", "her": "f", "herself": "f", "he": "m", "him": "m", "himself": "m"}
    seen = defaultdict(set)
    for first, second, _ in pairs(bundled):
        if first.lower().split()[0] != "the" and second in gender:
            seen[first].add(gender[second])
    assert seen and all(len(genders) == 1 for genders in seen.values())


def test_gap_gives_two_pairs_a_text(write):
    examples = Corpus(path=write("gap.tsv", GAP))()
    assert pairs(examples)[:2] == [("Carol", "she", "yes"), ("Alice 0", "she", "no")]
    assert examples.texts[0] == 'Carol (sic) met "Alice 0" before she left.'
    assert len(set(examples.groups)) == 6 and len(examples) == 12


def test_winobias_takes_the_wrong_candidate_from_the_other_line(write):
    write("anti_stereotyped_type1.txt.dev", ANTI)
    path = write("pro_stereotyped_type1.txt.dev", PRO)
    from latentmech.data.corpus import read_file

    examples = read_file(path)
    assert pairs(examples)[:4] == [
        ("The pilot", "she", "yes"),
        ("the nurse", "she", "no"),
        ("the nurse", "he", "yes"),
        ("The pilot", "he", "no"),
    ]
    assert len(examples) == 8 and set(examples.groups) == {"nurse+pilot"}
    assert examples.texts[0] == "The pilot met the nurse because she wrote to her boss."
    assert "read together with anti_stereotyped_type1.txt.dev" in examples.notes[0]


def test_winobias_alone_says_so(write):
    from latentmech.data.corpus import read_file

    assert "no anti_" in read_file(write("pro_stereotyped_type1.txt.dev", PRO)).notes[0]


def test_mentions_must_be_two(write):
    with pytest.raises(BadInput, match=r"1 mentions in brackets in .*; expected two"):
        Corpus(path=write("x.jsonl", '{"marked": "[Anna] left.", "label": "yes"}\n'))()


PRONOUNS = {"he", "she", "him", "her", "his", "hers"}


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="no corpora here")
def test_the_published_sets_are_read():
    gap = Corpus(path=REAL / "gap-validation.tsv")()
    assert len(gap) == 2 * 454 and all({a.lower(), b.lower()} & PRONOUNS for a, b, _ in pairs(gap))
    winobias = Corpus(path=REAL / "pro_stereotyped_type1.txt.dev")()
    assert len(winobias) > 1400 and Counter(winobias.columns["label"])["yes"] == len(winobias) / 2

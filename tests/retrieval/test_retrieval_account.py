"""What a retrieval study says of scores that are made by hand: whom it beats, by chance or not, over which groups."""

from dataclasses import replace

import numpy as np
import pytest
from made_findings import TEST, findings_of

from latentmech.data import TextPairs
from latentmech.model import Model, Tiny
from latentmech.report import Ledger
from latentmech.retrieval.account import headline, methods, notes, numbers
from latentmech.retrieval.findings import at_levels
from latentmech.retrieval.near_duplicates import threshold_of
from latentmech.retrieval.tables import level_table, way_table


def said(found):
    return headline(found, Model(name="tiny", source=Tiny()))


def test_a_model_ahead_of_every_rival_beats_the_strongest_of_them():
    found = findings_of({"model": 0.9, "bm25": 0.5, "embed": 0.1, "random_init": 0.2})
    assert "It beats the strongest rival (BM25 0.4" in said(found)
    assert "the 2 weaker rivals and shuffled judgements (0.050; p = 0.010 of 100 shuffles)" in said(found)


@pytest.mark.parametrize("who", ["bm25", "embed", "random_init"])
def test_one_rival_that_is_as_good_is_enough(who):
    found = findings_of({"model": 0.9, "bm25": 0.5, "embed": 0.1, "random_init": 0.2} | {who: 0.9})
    names = {"bm25": "BM25", "embed": "embedding", "random_init": "random-init twin"}
    assert f"It is not shown to beat {names[who]} 0.8" in said(found) and "beats the strongest" not in said(found)


def test_the_sentence_encoder_is_a_yardstick_and_no_rival():
    found = findings_of({"model": 0.6, "bm25": 0.3, "encoder": 0.9})
    assert "It beats the strongest rival (BM25" in said(found) and "It is behind the sentence encoder (0.8" in said(
        found
    )
    assert "encoder" not in [lead.rival for lead in found.leads] and found.gaps["encoder"].behind
    assert "ahead of the sentence encoder" in said(findings_of({"model": 0.9, "bm25": 0.3, "encoder": 0.5}))
    assert "not clearly apart from the sentence encoder" in said(findings_of({"model": 0.5, "encoder": 0.5}))


def test_who_is_ahead_of_every_rival_still_has_to_beat_shuffled_judgements():
    found = findings_of({"model": 0.9, "bm25": 0.5}, shuffled=np.full(100, 0.9))
    assert found.is_by_chance and found.p == 1
    assert "It is not shown to beat shuffled judgements (0.900; p = 1.000" in said(found)
    few = replace(found, shuffled=np.zeros(3))
    assert few.p == 0.25 and few.is_by_chance, "three shuffles cannot show it"
    off = replace(found, shuffled=np.empty(0))
    assert off.p is None and not off.is_by_chance and "shuffle" not in said(off)


def test_p_counts_shuffles_that_give_as_much():
    found = findings_of({"model": 0.5}, shuffled=np.array([0.4] * 95 + [float(np.mean(scores_at(0.5)))] * 4))
    assert found.p == pytest.approx(5 / 100)


def scores_at(value):
    return findings_of({"model": value}).scores["model"]["ndcg@10"]


def test_queries_of_one_group_count_once():
    alone = findings_of({"model": 0.6, "bm25": 0.5})
    together = findings_of({"model": 0.6, "bm25": 0.5}, groups=12)
    a, b = (found.on_test["model"]["ndcg@10"] for found in (alone, together))
    assert (a.groups, b.groups, b.n) == (60, 12, 60) and a.value == b.value
    assert together.gaps["bm25"].difference.groups == 12


def test_a_small_dev_cannot_tell_which_levels_may_be_the_best():
    enough, few = findings_of({"model": 0.5}), findings_of({"model": 0.5}, dev=9)
    assert [c.level.layer for c in enough.equals] == [None, 0] and few.equals is None  # block 1 is far behind
    marks = dict(zip(*level_table(enough).frame[["layer", "mark"]].to_numpy().T, strict=True))
    assert marks == {"embed": "≈", "0": "best", "1": ""}
    assert "too small to tell" in level_table(few).caption and "≈" not in level_table(few).caption
    counted = []
    for found in (enough, few):
        ledger = Ledger({})
        numbers(found, ledger)
        counted.append("retrieval/not_worse/count" in ledger.metrics)
    assert counted == [True, False]
    assert "hansen2011" in str(list(methods(enough))) and "hansen2011" not in str(list(methods(few)))


def test_a_choice_of_the_embedding_is_named():
    found = findings_of({"model": 0.5})
    assert not any("is the embedding" in note for note in notes(found))
    embed = next(i for i, c in enumerate(found.candidates) if c.level.layer is None)
    assert any("is the embedding" in note for note in notes(replace(found, best=embed)))


def test_noise_is_not_said_to_beat():
    """Everyone's scores are draws of one kind: beating all three by luck is rarer than beating one."""
    claims = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        noise = {who: {"ndcg@10": rng.random(TEST)} for who in ("model", "bm25", "embed", "random_init")}
        found = replace(findings_of({"model": 0.5}), scores=noise, shuffled=rng.normal(0.5, 0.05, 99))
        claims += "It beats" in said(found) or ("it beats shuffled" in said(found) and "not shown" not in said(found))
    assert claims <= 3


def test_every_way_is_shown_at_its_best_level():
    found = findings_of({"model": 0.5})
    frame = way_table(found).frame
    assert frame["best level"].tolist() == ["0"] and frame["ndcg@10"][0] == max(c.score for c in found.candidates)


def test_at_levels_takes_the_best_of_each():
    found = findings_of({"model": 0.5})
    assert [c.level.layer for c in at_levels(found.candidates)] == [None, 0, 1]


@pytest.mark.parametrize(("noise", "told"), [(0.01, False), (5.0, True)])
def test_near_duplicates_that_words_alone_tell_as_well_are_named(noise, told):
    pairs, rng = TextPairs()(), np.random.default_rng(0)
    own, words = (pairs.duplicate + rng.normal(0, at, len(pairs.duplicate)) for at in (noise, 1.0))
    thresholds = {"model": threshold_of(own, pairs), "words": threshold_of(words, pairs)}
    found = findings_of({"model": 0.5})
    found = replace(found, thresholds=thresholds)
    assert any("is not shown to beat shared word trigrams" in note for note in notes(found)) == told
    assert found.told_apart["model"]["f1"].groups == len(set(pairs.groups[~pairs.dev]))


def test_what_was_not_exact_and_what_was_not_there_is_noted():
    found = findings_of({"model": 0.5})
    assert not list(notes(found))
    told = list(notes(replace(found, index_recall=0.93, settings=replace(found.settings, cluster_by="topic"))))
    assert "93.0% of the exact ten nearest" in told[0] and "label in the column topic" in told[1]

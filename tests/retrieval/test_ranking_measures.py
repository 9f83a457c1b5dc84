"""Measures against trec_eval itself and against their formulas; BM25 against its formula; exact search."""

import math
from dataclasses import replace

import numpy as np
import pytest
import pytrec_eval
import torch

from latentmech.retrieval import Ranking, bm25, by_cosine, per_query
from latentmech.retrieval.ranking import shuffled_scores


def ranking_of(*rows):
    return Ranking(np.array(rows), np.zeros((len(rows), len(rows[0]))))


def test_measures_by_hand(small):
    scores = per_query(ranking_of([1, 0, 2], [2, 3, 1], [-1, -1, -1]), small)
    best = 2 / math.log2(2) + 1 / math.log2(3)
    assert scores["ndcg@10"] == pytest.approx([1 / math.log2(3), (2 + 1 / math.log2(4)) / best, 0])
    assert scores["mrr"] == pytest.approx([1 / 2, 1, 0])
    assert scores["map"] == pytest.approx([1 / 2, (1 + 2 / 3) / 2, 0])
    assert scores["recall@10"] == pytest.approx([1, 1, 0])


def test_measures_are_those_of_trec_eval(passages):
    random = np.random.default_rng(0)
    order = np.stack([random.permutation(len(passages.documents))[:100] for _ in passages.queries.ids])
    ranking = Ranking(order, np.zeros(order.shape))
    names = {"ndcg_cut_10": "ndcg@10", "recall_10": "recall@10", "recall_100": "recall@100"}
    names |= {"recip_rank": "mrr", "map": "map"}
    run = {
        query: {passages.documents.ids[d]: 1.0 / (1 + rank) for rank, d in enumerate(row)}
        for query, row in zip(passages.queries.ids, order, strict=True)
    }
    judged = {query: dict(graded) for query, graded in passages.judgements.items()}
    direct = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut", "recall", "recip_rank", "map"}).evaluate(run)
    ours = per_query(ranking, passages)
    for theirs, name in names.items():
        assert ours[name] == pytest.approx([direct[query][theirs] for query in passages.queries.ids])
    assert ours["recall@100"].mean() > 0


def test_ties_keep_the_order_of_the_ranking(small):
    tied = Ranking(np.array([[1, 0], [2, 1], [0, 3]]), np.ones((3, 2)))
    assert per_query(tied, small, ("mrr",))["mrr"] == pytest.approx([1 / 2, 1, 1 / 2])


def test_bm25_by_its_formula():
    documents = ["red apple red", "green pear", "red plum tree garden"]
    ranking = bm25(documents, ["the red gardens", "zebra"], 3)  # stop words do not count, nor do endings
    mean, k1, b = 3.0, 1.5, 0.75

    def word(tf, df, size):
        return math.log(1 + (3 - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * size / mean))

    assert ranking.documents[0].tolist() == [2, 0, -1]
    assert ranking.scores[0, :2] == pytest.approx([word(1, 2, 4) + word(1, 1, 4), word(2, 2, 3)], rel=1e-5)
    assert (ranking.documents[1] == -1).all()


def test_cosine_search_is_exact():
    from sklearn.neighbors import NearestNeighbors

    torch.manual_seed(0)
    documents, queries = torch.randn(500, 24) + 1, torch.randn(40, 24)
    ranking = by_cosine(queries, documents, 10)
    oracle = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(documents.numpy())
    distances, places = oracle.kneighbors(queries.numpy())
    assert (ranking.documents == places).all()
    assert ranking.scores == pytest.approx(1 - distances, abs=1e-5)
    assert by_cosine(queries, documents[:3], 10).documents.shape == (40, 3), "no more than there are"


def test_shuffled_judgements_fall_to_chance(passages):
    test = passages.only("test")
    places = {name: i for i, name in enumerate(test.documents.ids)}
    rows = [[places[max(graded, key=lambda name: graded[name])]] for graded in test.judgements.values()]
    perfect = ranking_of(*rows)
    assert per_query(perfect, test)["mrr"].mean() == 1
    null = shuffled_scores(perfect, test, shuffles=20, seed=0)
    assert null.mean() < 0.15 and len(null) == 20


def test_queries_keep_their_judgements_when_others_go(small):
    one = replace(small, queries=small.queries.select([1]), judgements={"q2": small.judgements["q2"]})
    assert per_query(ranking_of([1, 2]), one)["recall@10"] == pytest.approx([1])


def test_groups_of_queries_exchange_their_judgements_as_a_whole(small):
    """q1 and q2 are one group: either all queries keep what they asked for, or the groups change places."""
    queries = replace(small.queries, groups=("g", "g", "h"))
    together = replace(small, queries=queries)
    perfect = ranking_of([0, 1], [2, 1], [3, 1])
    kept = per_query(perfect, together)["ndcg@10"].mean()
    lent = {"q1": small.judgements["q3"], "q2": small.judgements["q3"], "q3": small.judgements["q1"]}
    changed = per_query(perfect, replace(together, judgements=lent))["ndcg@10"].mean()
    null = shuffled_scores(perfect, together, shuffles=40, seed=0)
    assert set(np.round(null, 9)) == {round(kept, 9), round(changed, 9)}
    assert len(set(np.round(shuffled_scores(perfect, small, shuffles=40, seed=0), 9))) > 2

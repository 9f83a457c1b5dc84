"""A query is not its own answer, copies count as found, Chinese is searched by its characters, prompts are used."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentmech.data import Collection, Examples
from latentmech.errors import BadInput
from latentmech.retrieval import Ranking, RetrievalStudy, VectorDatabase, Vectors, bm25, per_query
from latentmech.retrieval.clusters import agreement_of_words
from latentmech.retrieval.ranking import depth_of
from latentmech.retrieval.vector_index import shared


def examples(texts, **columns):
    names = tuple(texts)
    return Examples(ids=names, texts=tuple(texts.values()), groups=names, splits=("test",) * len(names),
                    columns=columns)  # fmt: skip


def test_a_query_is_taken_out_of_its_own_list():
    documents = examples({"a": "red", "b": "blue", "c": "green"})
    collection = Collection(documents=documents, queries=examples({"a": "red", "b": "other"}), source="made",
                            judgements={"a": {"b": 1}, "b": {"c": 1}}, itself=frozenset({"a"}))  # fmt: skip
    ranking = Ranking(np.array([[0, 1, 2], [1, 2, 0]]), np.zeros((2, 3)))
    assert per_query(ranking, collection)["mrr"].tolist() == [1, 0.5]  # b is a document of that name with other words
    assert depth_of(collection, 10) == 11 and depth_of(replace(collection, itself=frozenset()), 10) == 10


def test_copies_count_as_found(tmp_path):
    """Of 250 copies an index names other ones than an exact search does; every one of them is as near."""
    torch.manual_seed(0)
    rows = torch.cat([torch.ones(250, 16) + torch.zeros(16).normal_(), torch.randn(50, 16)])
    own = Vectors(tuple(f"t{i}" for i in range(300)), rows, {"model": "m"})
    index = VectorDatabase(uri=str(tmp_path / "v"), exact_below=256).open("copies", own.card, 16)
    index.add(own)
    assert index.is_approximate
    assert replace(index, nprobes=17).recall(replace(own, ids=own.ids[:20], rows=rows[:20])) == 1


def test_what_is_farther_than_the_last_true_neighbour_is_not_found():
    assert shared([[0.9, 0.8, 0.7], [0.9, 0.5, 0.1]], [[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]]) == pytest.approx(2 / 3)
    assert shared([[0.9, 0.8]], [[0.9, 0.8 + 1e-8]]) == 1


CHINESE = {
    "d0": "长城是中国古代的防御工程。",
    "d1": "熊猫主要以竹子为食物。",
    "d2": "长江是亚洲最长的河流。",
    "d3": "茶叶起源于中国南方。",
}


def test_bm25_finds_words_in_a_script_without_blanks():
    ranking = bm25(list(CHINESE.values()), ["熊猫吃什么竹子", "最长的河流", "हिन्दी"], 2)
    assert ranking.documents[:2, 0].tolist() == [1, 2] and (ranking.documents[2] == -1).all()
    hindi = bm25(["भारत की राजधानी", "नदी का पानी"], ["राजधानी", "रजधन"], 2)
    assert hindi.documents[0].tolist() == [0, -1] and (hindi.documents[1] == -1).all()


def test_bm25_of_english_is_that_of_its_own_tokenizer(passages):
    import bm25s
    from Stemmer import Stemmer

    from latentmech.retrieval.okapi import _words

    texts = [*passages.documents.texts, "Don't: I'm 5 o'clock"]
    theirs = bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer("english"), return_ids=False, show_progress=False)
    assert _words(texts) == theirs


def test_clusters_of_words_see_chinese():
    texts = [f"{'长城是古代工程' if i % 2 else '熊猫喜欢吃竹子'}第{i}句" for i in range(12)]
    assert agreement_of_words(texts, [str(i % 2) for i in range(12)], 0)["ari"].value == 1


def test_one_label_for_all_makes_no_clusters():
    documents = examples(CHINESE, topic=("same",) * 4)
    assert RetrievalStudy(cluster_by="topic")._clusters({}, documents) == {}


def prompted(encoder, **config):
    (encoder.checkpoint.folder / "config_sentence_transformers.json").write_text(json.dumps(config))
    return replace(encoder)


def test_an_encoder_puts_its_own_prompts_before_texts(encoder):
    texts, plain = ["red apples", "pears"], encoder.fingerprint
    prompts = {"query": "green ", "passage": "pears ", "other": ""}
    bare = {prompt: encoder.encode([prompt + text for text in texts]) for prompt in ("", "green ", "pears ")}
    for usual in (None, "query", "passage", "other"):
        own = prompted(encoder, prompts=prompts, default_prompt_name=usual)
        assert own.fingerprint != plain
        assert torch.equal(own.encode(texts, "query"), bare["green "])
        assert torch.equal(own.encode(texts, "document"), bare["pears "])
        assert torch.equal(own.encode(texts), bare[prompts[usual] if usual else ""])
    only = prompted(encoder, prompts={"query": "green "}, default_prompt_name="query")
    assert torch.equal(only.encode(texts, "document"), bare["green "]) and only.cut(["red red red red"], "query") == 1
    assert prompted(encoder, prompts={"query": "", "document": ""}).fingerprint == plain


def test_prompts_that_cannot_be_used_are_refused(encoder):
    lacking = prompted(encoder, prompts={"query": "green "}, default_prompt_name="search")
    with pytest.raises(BadInput, match="small has no prompt 'search', its default; expected one of query"):
        lacking.encode(["red"])
    pooling = encoder.checkpoint.folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": True, "include_prompt": False}))
    assert prompted(encoder, prompts={"query": ""}).pooling == "mean"
    with pytest.raises(BadInput, match="small leaves its prompts out of the mean"):
        _ = prompted(encoder, prompts={"query": "green "}).pooling

"""Test collections: BEIR folders, TREC files, the bundled passages."""

import json
from pathlib import Path

import pytest

from latentmech.data import Library
from latentmech.data.beir import read_beir
from latentmech.data.trec import read_trec
from latentmech.errors import BadInput

CRANFIELD = Path(__file__).parents[3] / "shared" / "data" / "retrieval"
DOCUMENTS = """<?xml version='1.0'?><xml>
<doc><docno>1</docno><title>on
wings</title><text>on wings
lift &amp; drag .</text></doc>
<doc><docno>2</docno><title>heat</title><text></text></doc>
<DOC>
<DOCNO> 3 </DOCNO>
<TEXT>slabs of steel</TEXT>
</DOC>
<doc><docno>4</docno><title></title><text></text></doc>
</xml>"""
TOPICS = """<top>
<num> 1</num>
<title>
how do wings lift
</title>
</top>
<top>
<num> Number: 8
<title> Topic: steel slabs
<desc> Description: not read
</top>"""


@pytest.fixture
def trec(tmp_path):
    (tmp_path / "some.xml").write_text(DOCUMENTS)
    (tmp_path / "topics.txt").write_text(TOPICS)
    (tmp_path / "judged").write_text("1 0 1 1\n2 0 3 1\n2 0 1 -1\n")
    (tmp_path / "README.md").write_text("about <doc> and <top>\n")
    return tmp_path


@pytest.fixture
def beir(tmp_path):
    """A BEIR-style folder with a title, an empty document, a query without an answer and two splits."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    corpus = [
        {"_id": "d1", "title": "Apples", "text": "They are red.", "metadata": {"url": "x"}},
        {"_id": "d2", "title": "", "text": "Pears are green."},
        {"_id": "d3", "title": "", "text": ""},
    ]
    queries = [{"_id": f"q{i}", "text": f"question {i}"} for i in range(4)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    head = "query-id\tcorpus-id\tscore\n"
    (folder / "qrels" / "dev.tsv").write_text(f"{head}q0\td1\t1\nq1\td2\t2\n")
    (folder / "qrels" / "test.tsv").write_text(f"{head}q2\td2\t1\nq2\td9\t1\nq3\td1\t0\n")
    return folder


@pytest.fixture(scope="module")
def passages():
    return Library()()


def test_trec_files_by_what_they_hold_and_topics_by_position(trec):
    collection = read_trec(trec, "position")
    assert collection.documents.ids == ("1", "2", "3")
    assert collection.documents.texts == ("on wings lift & drag .", "heat", "slabs of steel")
    assert collection.queries.texts == ("how do wings lift", "steel slabs")
    assert collection.judgements == {"1": {"1": 1}, "2": {"3": 1, "1": -1}}
    assert any("1 documents have no text" in note for note in collection.notes)


def test_a_wrong_numbering_is_refused_with_the_remedy(trec):
    with pytest.raises(BadInput, match=r"1 judged topics .* set retrieval.data.numbering=position"):
        read_trec(trec)


def test_trec_judgements_by_number(trec):
    (trec / "judged").write_text("1 0 1 1\n8 0 3 1\n")
    assert set(read_trec(trec).judgements) == {"1", "8"}


@pytest.mark.parametrize(("file", "message"), [("judged", "no file with judgements"), ("some.xml", "with documents")])
def test_a_missing_kind_is_named(trec, file, message):
    (trec / file).unlink()
    with pytest.raises(BadInput, match=message):
        read_trec(trec, "position")


def test_beir_titles_splits_and_what_is_left_out(beir):
    collection = read_beir(beir)
    assert collection.documents.texts == ("Apples\nThey are red.", "Pears are green.")
    assert dict(zip(collection.queries.ids, collection.queries.splits, strict=True)) == {
        "q0": "dev",
        "q1": "dev",
        "q2": "test",
    }
    assert collection.judgements["q1"] == {"d2": 2}
    notes = " ".join(collection.notes)
    assert "1 documents have no text" in notes and "1 judged documents are not in the corpus" in notes
    assert "1 of 4 queries have no relevant document" in notes


@pytest.mark.parametrize(
    ("line", "message"),
    [("q7\td1\t1", "1 judged queries are not there, 'q7'"), ("q0\td1\tgood", "the grade is 'good'")],
)
def test_bad_judgements(beir, line, message):
    with (beir / "qrels" / "dev.tsv").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(BadInput, match=message):
        read_beir(beir)


def test_queries_are_halved_by_their_names_and_samples_keep_the_answers(passages):
    splits = passages.queries.splits
    assert abs(splits.count("dev") - splits.count("test")) <= 1
    fewer = Library(limit=120, query_limit=20)()
    assert len(fewer.documents) == 120 and 18 <= len(fewer.queries) <= 22
    assert all(set(graded) <= set(fewer.documents.ids) for graded in fewer.judgements.values())
    assert "easier than the whole" in fewer.notes[-1]


def test_the_passages_are_as_large_as_their_card_says(passages):
    assert len(passages.documents) == 241 and len(passages.queries) == 66
    assert not passages.notes  # every query has an answer, and every judged passage is there
    assert len(set(passages.documents.texts)) == 241
    card = (Path(__file__).parents[2] / "latentmech/data/collections/passages.md").read_text()
    assert "241 passages" in card and "66 queries" in card


def test_bad_settings():
    for setting in ({"name": "pasages"}, {"numbering": "rank"}, {"dev": 1.0}, {"limit": 0}, {"path": "nowhere"}):
        with pytest.raises(BadInput):
            Library(**setting)()


@pytest.mark.real
@pytest.mark.skipif(not CRANFIELD.is_dir(), reason="no Cranfield collection here")
def test_cranfield_comes_out_as_published():
    from latentmech.retrieval import bm25, per_query

    collection = Library(path=CRANFIELD, numbering="position")()
    assert len(collection.documents) == 1398 and len(collection.queries) == 225
    ranking = bm25(collection.documents.texts, collection.queries.texts, 100)
    assert per_query(ranking, collection)["ndcg@10"].mean() > 0.37


def test_own_labels_of_documents_are_kept(passages):
    assert len(set(passages.documents.columns["topic"])) >= 10
    assert set(passages.queries.columns["kind"]) == {"wording", "paraphrase"}


def test_queries_of_one_group_are_all_dev_or_all_test(tmp_path):
    (tmp_path / "qrels").mkdir()
    queries = [{"_id": f"q{i}", "text": f"wording {i}", "group": f"g{i // 3}"} for i in range(24)]
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"_id": "d", "text": "an answer"}))
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    lines = "".join(f"q{i}\td\t1\n" for i in range(24))
    (tmp_path / "qrels" / "all.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    for seed in range(5):
        asked = Library(path=tmp_path, seed=seed)().queries
        assert len(set(zip(asked.groups, asked.splits, strict=True))) == 8
        assert asked.splits.count("dev") == 12


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"limit": 1}, "data.limit=1 is too small; expected at least 2"),
        ({"query_limit": 0}, "data.query_limit=0 is too small"),
        ({"numbering": "place"}, "data.numbering=place is unknown; expected one of id, position"),
        ({"dev": 1.0}, "data.dev=1.0; expected a share"),
        ({"name": "passage"}, "no bundled collection 'passage'; did you mean 'passages'"),
    ],
)
def test_bad_settings_of_a_library(setting, message):
    with pytest.raises(BadInput, match=message):
        Library(**setting)

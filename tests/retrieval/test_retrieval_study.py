"""The study as a whole, on the tiny model."""

import json
from dataclasses import replace

import numpy as np
import pytest

from latentmech.activations import ActivationStore
from latentmech.data import Library
from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.model import Model, levels_of
from latentmech.retrieval import RetrievalStudy, VectorDatabase
from latentmech.retrieval.candidates import best_of, encoded, exactly
from latentmech.retrieval.findings import at_levels
from latentmech.retrieval.ranking import DEPTH, per_query


@pytest.fixture
def twins(tmp_path):
    """A folder in which every query is its answer, word for word, among others."""
    (tmp_path / "qrels").mkdir()
    texts = [
        f"{a} {b}" for a in ("red", "green", "blue", "grey") for b in ("apples", "pears", "plums", "cars", "stones")
    ]
    corpus = [{"_id": f"d{i}", "text": text} for i, text in enumerate(texts)]
    queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(texts)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = "".join(f"q{i}\td{i}\t1\n" for i in range(len(texts)))
    (tmp_path / "qrels" / "all.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    return tmp_path


def study(folder, **settings):
    common = {"draws": 100, "shuffles": 5, "random_init": False, "layers": (0, 2)}
    return RetrievalStudy(data=Library(path=folder), **common | settings)


def test_a_text_finds_itself_from_every_level_and_shuffled_judgements_do_not(twins, tiny):
    findings = study(twins).find(tiny, ActivationStore())
    blind = (None, "last")  # before any block, a last letter knows nothing of the text
    assert {c.score for c in findings.candidates if (c.level.layer, c.pooling) != blind} == {1.0}
    assert max(c.score for c in findings.candidates if (c.level.layer, c.pooling) == blind) < 1
    assert findings.scores["model"]["ndcg@10"].tolist() == [1.0] * 10
    assert findings.shuffled.max() < 0.7
    assert findings.chosen.level.layer is None  # of equals the lowest
    assert len(findings.candidates) == 3 * 3 * 3 and len(findings.equals) == 24


def test_the_choice_is_made_on_dev_and_test_is_the_other_half(tiny):
    own = RetrievalStudy(data=Library(limit=100), draws=100, shuffles=0, random_init=False, layers=(1,), pairs=None)
    findings = own.find(tiny, ActivationStore())
    dev, test = findings.collection.only("dev"), findings.collection.only("test")
    assert not set(dev.queries.ids) & set(test.queries.ids)
    assert len(findings.chosen.dev) == len(dev.queries) and len(findings.scores["model"]["map"]) == len(test.queries)
    assert findings.best == best_of(findings.candidates)
    assert [c.score for c in at_levels(findings.candidates)] == [
        max(c.score for c in findings.candidates if c.level.layer == layer) for layer in (None, 1)
    ]


def test_test_is_read_with_what_dev_chose_for_each_searcher(tiny):
    own = RetrievalStudy(data=Library(limit=100), draws=100, shuffles=0, layers=(1,), pairs=None)
    store = ActivationStore()
    findings = own.find(tiny, store)
    test = findings.collection.only("test")
    twin = replace(tiny, random_init=True, seed=0)
    embed = [candidate for candidate in findings.candidates if candidate.level.layer is None]
    for who, model, among in (
        ("model", tiny, findings.candidates),
        ("embed", tiny, embed),
        ("random_init", twin, findings.twin),
    ):
        chosen = max(among, key=lambda candidate: candidate.dev.mean())
        both = encoded(model, store, findings.collection, levels_of(3, "resid_post", (1,)), own.poolings)
        expected = per_query(exactly(both, chosen, findings.collection, "test", DEPTH), test)
        for name, values in expected.items():
            assert findings.scores[who][name] == pytest.approx(values), (who, name)
    gap = np.mean(findings.scores["model"]["ndcg@10"]) - np.mean(findings.scores["bm25"]["ndcg@10"])
    assert findings.gaps["bm25"].difference.value == pytest.approx(gap) and gap != 0
    assert findings.chosen in findings.equals


def test_a_second_run_answers_from_disk(twins, tiny, monkeypatch):
    first = study(twins)(tiny, ActivationStore())
    monkeypatch.setattr(Model, "bridge", property(lambda self: pytest.fail("weights were loaded")))
    second = study(twins)(replace(tiny), ActivationStore())
    assert first.metrics == second.metrics


def test_a_named_index_takes_only_what_made_it(twins, tiny, tmp_path):
    place = {"uri": str(tmp_path / "vectors"), "name": "mine"}
    settings = {"poolings": ["mean"], "spaces": ["raw"], "index": VectorDatabase(**place)}
    study(twins, **settings).find(tiny, ActivationStore())
    study(twins, **settings).find(tiny, ActivationStore())
    with pytest.raises(IntegrityError, match="was filled with space=raw, these vectors have space=centred"):
        study(twins, **settings | {"spaces": ["centred"]}).find(tiny, ActivationStore())
    lines = (twins / "corpus.jsonl").read_text().split("\n")
    (twins / "corpus.jsonl").write_text("\n".join(lines[:-1]))
    with pytest.raises(BadInput, match="holds 1 texts that are not in"):
        study(twins, **settings).find(tiny, ActivationStore())


def test_a_database_out_of_reach_is_known_before_any_forward_pass(twins, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(ActivationStore, "get", lambda *_: pytest.fail("texts were read"))
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"cannot reach the vector database .*look at retrieval.index.uri"):
        study(twins, index=VectorDatabase(uri=str(tmp_path / "file" / "below"))).find(tiny, ActivationStore())


def test_the_report_has_every_number_once_and_says_what_was_off(twins, tiny):
    report = study(twins, random_init=True)(tiny, ActivationStore())
    wanted = {"best_layer", "model/ndcg@10", "bm25/ndcg@10", "random_init/ndcg@10", "shuffled/ndcg@10", "embed/ndcg@10"}
    wanted |= {"model/recall@10", "model/recall@100", "model/mrr", "model/map", "layer_02/dev/ndcg@10"}
    assert {f"retrieval/{name}" for name in wanted} <= set(report.metrics)
    assert len(report.rows) == len(report.metrics) and "nDCG@10 1.000" in report.headline
    assert "Switched off by setting: sentence encoder." in report.notes
    assert "No clusters: not every document has a label in the column topic." in report.notes
    assert np.isfinite(list(report.metrics.values())).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"poolings": ["middle"]}, "middle is unknown; expected some of last, mean, weighted_mean"),
        ({"poolings": "mean"}, "expected a list"),
        ({"spaces": []}, "expected a list"),
        ({"site": "resid"}, "site=resid is unknown"),
        ({"draws": 1}, "retrieval.draws=1 is too small"),
    ],
)
def test_bad_settings(setting, message):
    with pytest.raises(BadInput, match=message):
        RetrievalStudy(**setting)

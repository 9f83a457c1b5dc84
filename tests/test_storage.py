"""Artifacts are whole or absent, and carry a checksum that is believed over the bytes."""

import errno
import json
import os
import subprocess

import pytest
import torch

from latentmech import storage
from latentmech import tensors as tensors_on_disk
from latentmech.errors import IntegrityError, ResourceError


def failing(code: int):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def test_canonical_json_does_not_depend_on_key_order():
    assert storage.canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
    assert storage.fingerprint({"a": 1, "b": 2}) == storage.fingerprint({"b": 2, "a": 1})
    assert storage.fingerprint({"a": 1}) != storage.fingerprint({"a": "1"})


def test_written_bytes_are_read_back_and_their_checksum_returned(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    assert storage.write_bytes(path, b"latent") == storage.file_sha256(path)
    assert path.read_bytes() == b"latent"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(("code", "advice"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "check its owner")])
def test_a_failed_write_keeps_the_old_file_and_no_temporary(tmp_path, monkeypatch, step, code, advice):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (storage.Path, "replace")), failing(code))
    with pytest.raises(ResourceError, match=advice):
        storage.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_reader_never_sees_part_of_a_file(tmp_path, monkeypatch):
    """Everything is under the temporary name, on the disk, before the final name changes hands."""
    path, seen = tmp_path / "file", []
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((path.read_bytes(), os.fstat(descriptor).st_size)))
    storage.write_bytes(path, b"brand new")
    assert seen[0] == (b"old", len(b"brand new"))
    assert seen[1][0] == b"brand new"  # the second is the folder's, after the rename


def test_tensors_filled_in_place_are_a_safetensors_file(tmp_path):
    kinds = {"n": (torch.int64, (3,)), "x": (torch.float32, (2, 5)), "h": (torch.float16, (7,))}
    image, tensors = tensors_on_disk.blank_tensors(kinds, {"format": 1})
    values = {"n": torch.arange(3), "x": torch.randn(2, 5), "h": torch.randn(7).half()}
    for name, value in values.items():
        tensors[name].copy_(value)
    assert storage.write_bytes(tmp_path / "file", image) == storage.file_sha256(tmp_path / "file")
    found, card = tensors_on_disk.load_tensors(tmp_path / "file")
    assert card == {"format": 1}
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in values.items())


@pytest.mark.parametrize("size", [10, 4096])
def test_memory_that_was_used_before_is_taken_where_it_suffices_and_leaves_no_trace(size):
    kinds, memory = {"x": (torch.float32, (2, 5))}, torch.full((size,), 255, dtype=torch.uint8)
    images = []
    for place in (None, memory):
        image, tensors = tensors_on_disk.blank_tensors(kinds, {"format": 1}, place)
        tensors["x"].fill_(7)
        images.append(bytes(image))
    assert images[0] == images[1]
    assert (bytes(memory.numpy())[: len(images[0])] == images[0]) == (size == 4096)


def test_a_large_file_is_written_whole_in_several_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "WRITTEN_AT_ONCE", 10)
    data = bytes(range(95))
    assert storage.write_bytes(tmp_path / "file", data) == storage.file_sha256(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data


def test_a_folder_that_cannot_be_made_is_a_resource_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="LATENTMECH_CACHE"):
        storage.make_folder(tmp_path / "file" / "folder")


def test_a_torn_last_line_does_not_count(tmp_path):
    path = tmp_path / "log"
    assert storage.complete_lines(path) == []
    path.write_bytes("one\ntwo\u2028still two\nthr\u00e9".encode()[:-1])  # torn inside a character
    assert storage.complete_lines(path) == ["one", "two\u2028still two"]


def test_of_several_writers_the_first_one_counts(tmp_path):
    path = tmp_path / "new" / "file"
    assert storage.write_new(path, b"first") == (storage.file_sha256(path), True)
    assert storage.write_new(path, b"second")[1] is False
    assert path.read_bytes() == b"first"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_where_the_disk_has_no_links_a_new_file_is_renamed_into_its_place(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "link", failing(code))
    assert storage.write_new(tmp_path / "file", b"first")[1]
    assert not storage.write_new(tmp_path / "file", b"second")[1]
    assert (tmp_path / "file").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_new_file_that_cannot_be_written_is_a_resource_error(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "link", failing(code))
    with pytest.raises(ResourceError):
        storage.write_new(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == []


def test_only_what_dead_processes_left_is_swept_up(tmp_path):
    """A worker on another machine may be writing; after a day it is not."""
    host, dead = storage.socket.gethostname(), subprocess.Popen(["true"])
    dead.wait()
    names = {f".a.{host}.{dead.pid}.tmp": False, f".b.{host}.{os.getppid()}.tmp": True, ".c.elsewhere.1.tmp": True}
    for name in (*names, ".d.elsewhere.1.tmp", "kept"):
        (tmp_path / name).touch()
    os.utime(tmp_path / ".d.elsewhere.1.tmp", (0, 0))
    storage.sweep(tmp_path)
    assert set(os.listdir(tmp_path)) == {name for name, left in names.items() if left} | {"kept"}


def test_tensors_come_back_with_their_card(tmp_path):
    tensors = {"direction": torch.randn(3, 4).T, "half": torch.ones(2, dtype=torch.bfloat16)}  # .T is not contiguous
    path = tmp_path / "direction.safetensors"
    digest = tensors_on_disk.save_tensors(path, tensors, {"layer": 7})
    loaded, card = tensors_on_disk.load_tensors(path)
    assert card == {"layer": 7}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert json.loads(path.with_suffix(".json").read_text()) == {"layer": 7, "sha256": digest}


def test_no_flipped_bit_passes_for_the_tensors_that_were_written(tmp_path):
    path = tmp_path / "direction.safetensors"
    tensors_on_disk.save_tensors(path, {"direction": torch.arange(4.0)}, {})
    sound = path.read_bytes()
    for place in range(len(sound)):
        path.write_bytes(flipped(sound, place, place % 8))
        with pytest.raises(IntegrityError):
            tensors_on_disk.load_tensors(path)


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\xff" * 64])
def test_what_is_no_safetensors_file_is_an_integrity_error(tmp_path, content):
    path = tmp_path / "direction.safetensors"
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        tensors_on_disk.load_tensors(path)


@pytest.mark.parametrize("card", [b"", b"{", b"\xff\xfe{", b"[]", b"7"])
def test_a_damaged_card_is_an_integrity_error(tmp_path, card):
    path = tmp_path / "direction.safetensors"
    tensors_on_disk.save_tensors(path, {"direction": torch.ones(2)}, {})
    path.with_suffix(".json").write_bytes(card)
    with pytest.raises(IntegrityError):
        tensors_on_disk.load_tensors(path)


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]

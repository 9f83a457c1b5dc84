"""Moments straight from the forward are those of stored rows, whatever happens on the way."""

import json
import os
from dataclasses import replace
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pytest
import torch

from latentmech.activations import LEFT_OUT, ActivationStore, Held, Moments, Streamed, name_of
from latentmech.data import Examples, TextStream
from latentmech.errors import BadInput, Filled, IntegrityError
from latentmech.model import levels_of

LEVELS = levels_of(3)
sums_module = import_module("latentmech.activations.sums")


@pytest.fixture
def store(tmp_path):
    return ActivationStore(root=str(tmp_path), shard_rows=32)


def source_of(examples, per_word=True, **settings):
    n = sum(examples.sizes()) if per_word else len(examples)
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 4, n), rng.integers(0, 2, n)])
    labels[:, rng.random(n) < 0.2] = LEFT_OUT
    return Held(examples, labels, (4, 3), per_word, rows=32, **settings)


def far(found, expected):
    """Largest deviation relative to what the spread of two dimensions allows."""
    size = expected.diagonal().sqrt()
    return float(((found - expected).abs() / size.outer(size)).max())


@pytest.mark.parametrize("position", ["word_last", "word_mean", "text_last"])
def test_moments_are_those_of_stored_rows(store, tiny, examples, position):
    source = source_of(examples, position.startswith("word"))
    sums = store.moments(tiny, source, LEVELS, position)
    activations = store.get(tiny, examples, LEVELS, position)
    counted = source.labels[0] != LEFT_OUT
    for level in LEVELS:
        rows = activations.level(level.hook_name)[torch.from_numpy(counted)]
        for i, size in enumerate(source.sizes):
            expected = Moments.of(rows, torch.from_numpy(source.labels[i, counted]), size)
            found = sums[name_of(level.hook_name)].labelled(i)
            assert torch.equal(found.counts, expected.counts)
            torch.testing.assert_close(found.means, expected.means, rtol=1e-5, atol=1e-6)
            assert far(found.within, expected.within) < 1e-5
            assert far(found.total, expected.total) < 1e-5


def test_parts_and_differences_of_pairs_have_moments_of_their_own(store, tiny, examples):
    """Two places in each text; text i less text i + half."""
    texts = examples.texts[:20]
    spans = tuple(((0, 1), (0, len(text))) for text in texts)
    twice = Examples(ids=examples.ids[:20], texts=texts, groups=texts, splits=("train",) * 20, spans=spans)
    labels = np.repeat(np.arange(20) < 10, 2).astype(np.int64)[None]
    partners = np.stack([np.arange(10), np.arange(10) + 10], axis=1)
    sums = store.moments(tiny, Held(twice, labels, (2,), True, 8, n_parts=2, partners=partners), LEVELS, "word_mean")
    rows = store.get(tiny, twice, LEVELS, "word_mean")
    for level in LEVELS:
        both = rows.level(level.hook_name).view(20, 2, -1)
        for part in (0, 1):
            own = both[:, part]
            expected = Moments.of(own, torch.from_numpy(labels[0, ::2]), 2)
            assert far(sums[name_of(level.hook_name, part)].labelled().within, expected.within) < 1e-5
            apart = sums[name_of(level.hook_name, part, "differences")].whole
            differences = own[:10].double() - own[10:].double()
            torch.testing.assert_close(apart.mean, differences.mean(0), rtol=1e-5, atol=1e-6)
            second = apart.within + apart.n * apart.mean.outer(apart.mean)
            assert far(second, differences.T @ differences) < 1e-5


def test_every_token_but_the_first_of_each_text_counts(store, tiny):
    texts = ("one two", "three", "four five six")
    plain = Examples(ids=texts, texts=texts, groups=texts, splits=("",) * 3)
    sums = store.moments(tiny, Held(plain, np.zeros((1, 3), dtype=np.int64), (1,), False, 32), LEVELS, "token_each")
    firsts = tuple(tuple((i, i + 1) for i in range(len(text))) for text in texts)  # the tiny model reads characters
    rows = store.get(tiny, replace(plain, spans=firsts), LEVELS, "word_last")
    n_bos = int(bool(tiny.prepend_bos and tiny.tokenizer.bos_token_id is not None))
    first = np.cumsum([0, *map(len, texts[:-1])])
    kept = torch.from_numpy(np.setdiff1d(np.arange(rows.n_rows), [] if n_bos else first))
    own = rows.level(LEVELS[2].hook_name)[kept]
    assert sums[name_of(LEVELS[2].hook_name)].whole.n == len(own)
    expected = Moments.of(own, torch.zeros(len(own), dtype=torch.long), 1)
    assert far(sums[name_of(LEVELS[2].hook_name)].whole.within, expected.within) < 1e-5


def files(store):
    return {path.relative_to(store._root()): path.read_bytes() for path in store._root().glob("moments-*/*")}


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_killed_run_is_resumed_to_the_same_bytes(store, tiny, examples, tmp_path, monkeypatch, after):
    source, undisturbed = source_of(examples), replace(store, root=str(tmp_path / "undisturbed"))
    undisturbed.moments(tiny, source, LEVELS)
    monkeypatch.setattr(sums_module, "SECONDS", 0.0)
    write, calls = sums_module.write_bytes, []

    def killed(*arguments):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(arguments)
        return write(*arguments)

    monkeypatch.setattr(sums_module, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        store.moments(tiny, source, LEVELS)
    monkeypatch.setattr(sums_module, "write_bytes", write)
    run = []
    collect_into = import_module("latentmech.activations.reduction").collect_into
    monkeypatch.setattr(
        "latentmech.activations.reduction.collect_into", lambda *a: (run.append(a), collect_into(*a))[1]
    )
    store.moments(tiny, source, LEVELS)
    assert len(run) == len(source) - after
    assert files(store) == files(undisturbed)


def test_what_is_there_loads_no_weights_and_adds_up_nothing(store, tiny, examples, monkeypatch):
    source = source_of(examples)
    expected = store.moments(tiny, source, LEVELS)
    monkeypatch.setattr("latentmech.activations.reduction.collect_into", lambda *a: pytest.fail("it ran again"))
    found = store.moments(tiny, source, LEVELS)
    assert all(torch.equal(found[name].whole.within, own.whole.within) for name, own in expected.items())
    other = replace(source, labels=np.where(source.labels == 0, 1, source.labels))
    with pytest.raises(pytest.fail.Exception, match="it ran again"):
        store.moments(tiny, other, LEVELS)


@pytest.mark.parametrize("n", [2, 5])
def test_workers_do_their_share_and_their_number_may_change(store, tiny, examples, tmp_path, monkeypatch, n):
    source, whole = source_of(examples), replace(store, root=str(tmp_path / "whole"))
    expected = whole.moments(tiny, source, LEVELS)
    monkeypatch.setattr(sums_module, "SECONDS", 0.0)
    with pytest.raises(Filled, match=rf"shard 1/{n} added up .* are missing"):
        replace(store, shard=f"1/{n}").moments(tiny, source, LEVELS)
    for i in range(3):
        with pytest.raises(Filled):
            replace(store, shard=f"{i}/3").moments(tiny, source, LEVELS)
    monkeypatch.setattr("latentmech.activations.reduction.collect_into", lambda *a: pytest.fail("it ran again"))
    found = store.moments(tiny, source, LEVELS)
    for name, own in expected.items():
        torch.testing.assert_close(found[name].whole.within, own.whole.within, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found[name].means[0], own.means[0], rtol=1e-10, atol=1e-10)
    assert sorted(path.name for path in next(store._root().glob("moments-*")).iterdir()) == [
        "moments.json", "moments.safetensors",
    ]  # fmt: skip


def test_pieces_that_two_workers_have_count_once(store, tiny, examples, tmp_path):
    source, whole = source_of(examples), replace(store, root=str(tmp_path / "whole"))
    expected = whole.moments(tiny, source, LEVELS)
    folder = None
    for shard in ("0/2", "0/3"):
        with pytest.raises(Filled):
            replace(store, shard=shard).moments(tiny, source, LEVELS)
        folder = folder or next(store._root().glob("moments-*"))
        if shard == "0/2":
            (folder / "part-0-of-2.safetensors").rename(tmp_path / "aside")
    (tmp_path / "aside").rename(folder / "part-0-of-2.safetensors")
    found = store.moments(tiny, source, LEVELS)
    for name, own in expected.items():
        assert found[name].whole.n == own.whole.n
        torch.testing.assert_close(found[name].whole.within, own.whole.within, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("place", range(0, 100, 9))
def test_a_flipped_bit_is_refused(store, tiny, examples, place):
    source = source_of(examples)
    store.moments(tiny, source, LEVELS)
    path = next(store._root().glob("moments-*/moments.safetensors"))
    data = bytearray(path.read_bytes())
    data[len(data) * place // 100] ^= 1 << place % 8
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged"):
        store.moments(tiny, source, LEVELS)


def test_neither_memory_nor_disk_grows_with_the_number_of_pieces(store, tiny, examples, monkeypatch):
    """The buffer is that of the largest piece, and one file holds it all."""
    sizes = []
    monkeypatch.setattr(sums_module, "SECONDS", 0.0)
    for times in (1, 4):
        many = replace(
            examples, **{n: getattr(examples, n) * times for n in ("texts", "groups", "splits", "spans")},
            ids=tuple(f"{name} {i}" for i in range(times) for name in examples.ids), columns={},
        )  # fmt: skip
        own = replace(store, root=f"{store.root}/{times}")
        own.moments(tiny, source_of(many), LEVELS)
        sizes.append(sum(os.path.getsize(path) for path in own._root().glob("moments-*/*.safetensors")))
    assert sizes[1] < 1.01 * sizes[0]


def test_the_card_says_what_was_summed_up(store, tiny, examples):
    store.moments(tiny, source_of(examples), LEVELS)
    card = json.loads(next(store._root().glob("moments-*/moments.json")).read_text())
    assert card["key"]["model"] == tiny.identity
    assert card["pieces"] == len(source_of(examples))


@pytest.mark.parametrize("position", ["word_last+mean", "token_last", "line_last", "text_middle"])
def test_positions_without_moments_are_refused(store, tiny, examples, position):
    with pytest.raises(BadInput, match="has no moments"):
        store.moments(tiny, source_of(examples), LEVELS, position)


def test_an_overflow_is_an_integrity_error(store, tiny, examples):
    broken = replace(tiny)
    broken.bridge.original_model.base_model.wte.weight.data.fill_(torch.inf)
    with pytest.raises(IntegrityError, match="overflows"):
        store.moments(broken, source_of(examples), LEVELS)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_streamed_texts_have_the_moments_of_the_same_texts_in_memory(store, tiny, tmp_path, monkeypatch, suffix):
    import pyarrow as pa
    import pyarrow.parquet as pq

    import latentmech.data.stream as stream_module

    monkeypatch.setattr(stream_module, "BYTES", 1500)
    monkeypatch.setattr(stream_module, "ROWS", 30)
    texts = tuple(f"text {i} {'word ' * (i % 9)}" for i in range(120))
    labels = tuple(("no", "yes", "perhaps")[i % 3] for i in range(120))
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    path = tmp_path / f"a.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=70)
    source = Streamed(TextStream(path, columns=["label"]), tiny, "label", ("no", "yes"))
    assert len(source) > 2
    sums = store.moments(tiny, source, LEVELS, "text_mean")
    whole = Examples(ids=texts, texts=texts, groups=texts, splits=("",) * 120)
    number = np.array([{"no": 0, "yes": 1}.get(label, LEFT_OUT) for label in labels])
    expected = store.moments(tiny, Held(whole, number[None], (2,), False, 32), LEVELS, "text_mean")
    for name, own in expected.items():
        assert torch.equal(own.counts[0], sums[name].counts[0])
        torch.testing.assert_close(own.means[0], sums[name].means[0], rtol=1e-5, atol=1e-6)
        assert far(sums[name].labelled().within, own.labelled().within) < 1e-5


def test_a_killed_stream_is_resumed_to_the_same_bytes(store, tiny, tmp_path, monkeypatch):
    import latentmech.data.stream as stream_module

    monkeypatch.setattr(stream_module, "BYTES", 400)
    monkeypatch.setattr(sums_module, "SECONDS", 0.0)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(100)))
    source, undisturbed = Streamed(TextStream(path), tiny), replace(store, root=str(tmp_path / "undisturbed"))
    undisturbed.moments(tiny, source, LEVELS, "token_each")
    reduction = import_module("latentmech.activations.reduction")
    collect_into, calls = reduction.collect_into, []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        collect_into(*arguments)

    with patch.object(reduction, "collect_into", killed), pytest.raises(KeyboardInterrupt):
        store.moments(tiny, source, LEVELS, "token_each")
    store.moments(tiny, source, LEVELS, "token_each")
    assert files(store) == files(undisturbed)

"""The store gives what was asked for, knows what it depends on, and refuses before it costs anything."""

import errno
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from latentmech.activations import ActivationStore, Request, collect
from latentmech.data import Examples
from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.model import Local, Model, Tiny, length_sorted, levels_of, text_rows, tokenise, word_rows

LEVELS = levels_of(3)


class Unloadable(Model):
    """A model whose weights must not be touched."""

    @property
    def bridge(self):
        raise AssertionError("the weights were loaded")


@pytest.fixture
def store(tmp_path) -> ActivationStore:
    return ActivationStore(root=str(tmp_path / "store"), shard_rows=64)


@pytest.fixture
def unloadable() -> Model:
    return Unloadable(name="tiny", source=Tiny())


def prompts(*texts: str) -> Examples:
    names = tuple(f"prompt {i}" for i in range(len(texts)))
    return Examples(ids=names, texts=texts, groups=names, splits=("",) * len(texts))


def entries(store: ActivationStore) -> list[Path]:
    root = Path(store.root)
    return sorted(p for p in root.iterdir() if p.name not in ("locks", "index")) if root.exists() else []


@pytest.mark.parametrize("position", ["word_last", "word_first", "word_mean", "text_last", "text_first", "text_mean"])
def test_rows_come_back_in_the_order_of_the_examples(store, tiny, examples, position):
    unit, pooling = position.split("_")
    tokens = tokenise(tiny, examples.texts, examples.ids)
    rows = word_rows(tokens, examples.spans, examples.ids) if unit == "word" else text_rows(tokens)
    names = tuple(level.hook_name for level in LEVELS)
    request = Request(model=tiny, tokens=tokens, rows=rows, hook_names=names, pooling=pooling)
    order = length_sorted(tokens.lengths)
    expected = torch.empty(len(rows), len(LEVELS), tiny.d_model)
    expected[request.rows_in(order)] = collect(request, order).transpose(0, 1)
    found = store.get(tiny, examples, LEVELS, position)
    assert len(found.shards) > 1 or unit == "text"
    torch.testing.assert_close(found.stack(), expected, rtol=1e-5, atol=1e-5)


def test_a_level_that_was_not_collected_is_not_made_up(store, tiny, examples):
    with pytest.raises(KeyError, match=r"blocks\.2\.hook_resid_post was not collected"):
        store.get(tiny, examples, LEVELS[:2]).level("blocks.2.hook_resid_post")


def test_what_is_on_disk_is_read_without_loading_weights(store, tiny, unloadable, examples):
    expected = store.get(tiny, examples, LEVELS).stack()
    for other in (store, replace(store)):  # replace: a later process, which has verified nothing yet
        assert torch.equal(other.get(unloadable, examples, LEVELS).stack(), expected)


def test_what_is_not_on_disk_does_load_them(store, unloadable, examples):
    with pytest.raises(AssertionError, match="the weights were loaded"):
        store.get(unloadable, examples, LEVELS)


def folder_with(tmp_path: Path, change: str) -> str:
    """The tiny model's checkpoint with one thing changed."""
    folder = Path(shutil.copytree(Tiny()().folder, tmp_path / change))
    if change == "weights":
        from safetensors.torch import load_file, save_file

        tensors = load_file(folder / "model.safetensors")
        tensors["transformer.wte.weight"][0, 0] += 1e-3
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    elif change == "config":
        path = folder / "config.json"
        path.write_text(path.read_text().replace('"layer_norm_epsilon": 1e-05', '"layer_norm_epsilon": 1e-06'))
    elif change == "chat_template":
        (folder / "chat_template.jinja").write_text("{{ messages }}")
    else:
        path = folder / "tokenizer_config.json"
        path.write_text(path.read_text().replace(": ", ":  ", 1))
    return str(folder)


@pytest.mark.parametrize("change", ["weights", "config", "tokenizer", "chat_template"])
def test_the_key_depends_on_every_file_of_the_model(store, tiny, examples, tmp_path, change):
    assert key(store, replace(tiny, source=Local(path=folder_with(tmp_path, change)))) != key(store, tiny)


MODEL_SETTINGS = [
    {"dtype": "bfloat16"},
    {"compatibility_mode": True},
    {"prepend_bos": False},
    {"random_init": True},
    {"random_init": True, "seed": 1},
]


def key(store: ActivationStore, model: Model, examples: Examples | None = None, **asked) -> str:
    """Which entry a request would use, seen without running the model."""
    levels, position = asked.get("levels", LEVELS), asked.get("position", "text_last")
    names = tuple(level.hook_name for level in levels)
    chosen = examples or prompts("one", "two")
    return str(store._ingredients(model, chosen, names, position))


def test_no_two_different_requests_share_an_entry(store, tiny):
    keys = [key(store, tiny), *(key(store, replace(tiny, **settings)) for settings in MODEL_SETTINGS)]
    keys += [key(replace(store, padding_side="left"), tiny), key(replace(store, shard_rows=65), tiny)]
    keys += [key(store, tiny, levels=levels) for levels in (LEVELS[:3], LEVELS[1:], levels_of(3, "resid_mid"))]
    keys += [key(store, tiny, position=f"text_{pooling}") for pooling in ("first", "mean")]
    keys += [key(store, tiny, prompts(*texts)) for texts in (("one", "two "), ("two", "one"), ("one",), ("onetwo",))]
    spans = ((((0, 3),), ((0, 3),)), (((0, 2),), ((0, 3),)), (((0, 3),), ((0, 1), (1, 3))))
    worded = [replace(prompts("one", "two"), spans=s) for s in spans]
    keys += [key(store, tiny, e, position="word_last") for e in worded]
    assert len(set(keys)) == len(keys)


def test_labels_splits_and_names_do_not_change_the_entry(store, tiny, unloadable, examples):
    store.get(tiny, examples, LEVELS)
    other = replace(
        examples,
        ids=tuple(f"x{i}" for i in range(len(examples))),
        splits=("test",) * len(examples),
        columns={},
        word_columns=frozenset(),
        source="elsewhere",
    )
    assert store.get(unloadable, other, LEVELS).n_rows == sum(examples.sizes())
    other_budget, elsewhere = replace(store, token_budget=7), replace(unloadable, name="another name", device="cpu")
    assert other_budget.get(elsewhere, examples, LEVELS).n_rows == sum(examples.sizes())
    assert len(entries(store)) == 1


BAD = [
    (
        prompts("fine", "x" * 513),
        {"position": "text_last"},
        r"longer than the 512 tokens that tiny reads: prompt 1 has 514",
    ),
    (prompts("", "fine"), {"position": "text_last"}, "prompt 0 is empty"),
    (prompts("fine"), {"position": "word_last"}, "no words"),
    (prompts("fine"), {"position": "text_middle"}, "position=text_middle"),
    (prompts("fine"), {"position": "line_last"}, "position=line_last"),
]


@pytest.mark.parametrize(("bad", "asked", "message"), BAD)
def test_bad_input_is_refused_before_weights_are_loaded_or_anything_written(store, unloadable, bad, asked, message):
    with pytest.raises(BadInput, match=message):
        store.get(unloadable, bad, LEVELS, **asked)
    assert entries(store) == []


def test_the_longest_text_that_fits_is_read(store, tiny):
    assert store.get(tiny, prompts("x" * 511), LEVELS, "text_last").n_rows == 1


@pytest.mark.parametrize("settings", [{"padding_side": "both"}, {"token_budget": 0}, {"shard_rows": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(BadInput, match="activations"):
        ActivationStore(**settings)


def test_a_folder_that_cannot_be_written_is_a_resource_error(tmp_path, unloadable, examples):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="LATENTMECH_CACHE"):
        ActivationStore(root=str(tmp_path / "file" / "store")).get(unloadable, examples, LEVELS)


def test_a_disk_that_is_known_to_be_too_small_is_a_resource_error_before_weights_are_loaded(
    store, unloadable, examples, monkeypatch
):
    usage = namedtuple("usage", "total used free")(10**6, 10**6 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ResourceError, match="GiB are free"):
        store.get(unloadable, examples, LEVELS)


@pytest.mark.parametrize("after", [0, 2, 4, 5])
def test_a_disk_that_fills_up_leaves_an_entry_that_a_later_run_completes(
    store, tiny, examples, tmp_path, monkeypatch, after
):
    """The disk fills at the n-th flush: in the entry's description, in a shard, in the record, in a folder."""
    undisturbed = replace(store, root=str(tmp_path / "undisturbed"))
    undisturbed.get(tiny, examples, LEVELS)
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ResourceError, match="no space left"):
            store.get(tiny, examples, LEVELS)
    assert not list(entries(store)[0].glob(".*"))
    replace(store).get(tiny, examples, LEVELS)
    assert contents(entries(store)[0]) == contents(entries(undisturbed)[0])


def test_a_model_that_overflows_is_an_integrity_error_and_nothing_is_recorded(store, tiny, examples):
    broken = replace(tiny)
    broken.bridge.original_model.base_model.wte.weight.data.fill_(torch.inf)
    with pytest.raises(IntegrityError, match=r"overflows.*float32"):
        store.get(broken, examples, LEVELS)
    assert not list(entries(store)[0].glob("shard*"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shared(store: ActivationStore, tiny, unloadable, examples, levels=LEVELS[1:3], **asked) -> bool:
    """Whether fewer levels than LEVELS come from the disk, and are those that LEVELS has."""
    wide = store.get(tiny, examples, LEVELS)
    try:
        few = replace(store).get(unloadable, examples, levels, **asked)
    except AssertionError:
        return False
    assert few.hook_names == tuple(level.hook_name for level in levels)
    assert all(torch.equal(few.level(name), wide.level(name)) for name in few.hook_names)
    return True


def test_an_entry_with_more_hook_points_serves_a_question_for_fewer(store, tiny, unloadable, examples):
    assert shared(store, tiny, unloadable, examples)
    assert shared(store, tiny, unloadable, examples, LEVELS[3:0:-2])  # in another order, with a gap
    assert len(entries(store)) == 1
    with pytest.raises(KeyError, match=r"hook_resid_pre was not collected"):
        store.get(unloadable, examples, LEVELS[1:3]).level(LEVELS[0].hook_name)


def test_it_does_not_serve_what_it_does_not_hold_or_what_is_otherwise_another_question(
    store, tiny, unloadable, examples
):
    store.get(tiny, examples, LEVELS[1:])
    other = replace(examples, texts=("Other", *examples.texts[1:]))
    for model, texts, levels, position in (
        (unloadable, examples, LEVELS, "word_last"),
        (unloadable, examples, levels_of(3, "resid_mid")[1:2], "word_last"),
        (unloadable, examples, LEVELS[1:2], "word_first"),
        (unloadable, other, LEVELS[1:2], "text_last"),
        *((replace(unloadable, **changed), examples, LEVELS[1:2], "word_last") for changed in MODEL_SETTINGS),
    ):
        with pytest.raises(AssertionError, match="the weights were loaded"):
            store.get(model, texts, levels, position)


def test_a_kill_before_the_last_shard_leaves_nothing_that_serves(store, tiny, unloadable, examples, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("latentmech.activations.store._write_shard", killed)
        with pytest.raises(KeyboardInterrupt):
            store.get(tiny, examples, LEVELS)
    with pytest.raises(AssertionError, match="the weights were loaded"):
        store.get(unloadable, examples, LEVELS[1:3])
    assert shared(store, tiny, unloadable, examples)


DAMAGE = {
    "a shard": lambda entry: (entry / "shard-00001.safetensors").write_bytes(b"x"),
    "the record": lambda entry: (entry / "manifest.jsonl").write_text("x\n"),
    "the description": lambda entry: (entry / "entry.json").write_text("[]"),
    "another's description": lambda entry: (entry / "entry.json").write_text(
        (entry / "entry.json").read_text().replace('"shards": ', '"shards": 1')
    ),
    "all of it": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_passed_over_for_one_that_is_sound(store, tiny, unloadable, examples, damage):
    expected = store.get(tiny, examples, LEVELS).level(LEVELS[1].hook_name)
    DAMAGE[damage](entries(store)[0])
    with pytest.raises(AssertionError, match="the weights were loaded"):
        replace(store).get(unloadable, examples, LEVELS[1:2])
    replace(store).get(tiny, examples, LEVELS[1:3])
    few = replace(store).get(unloadable, examples, LEVELS[1:2])
    torch.testing.assert_close(few.level(LEVELS[1].hook_name), expected)


def plans(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("latentmech: tiny: activations")]


def test_a_plan_is_said_once_for_what_is_collected_and_not_for_what_is_there(store, tiny, examples, capsys):
    tokens = int(tokenise(tiny, examples.texts, examples.ids).lengths.sum())
    n_bytes = sum(examples.sizes()) * len(LEVELS) * tiny.d_model * 4
    store.get(tiny, examples, LEVELS)
    (said,) = plans(capsys)
    assert f"{len(examples)} texts, {tokens:,} tokens, {-(-tokens // store.token_budget)} forwards at least, " in said
    assert said.endswith(f"{n_bytes / 1000:.1f} kB on disk")
    store.get(tiny, examples, LEVELS)
    store.get(tiny, examples, LEVELS[1:])
    assert plans(capsys) == []


def test_what_is_left_of_a_killed_run_is_what_is_planned(store, tiny, examples, capsys, monkeypatch):
    write, done = import_module("latentmech.activations.store")._write_shard, []

    def killed(*args):
        if done:
            raise KeyboardInterrupt
        done.append(args)
        return write(*args)

    with monkeypatch.context() as patch:
        patch.setattr("latentmech.activations.store._write_shard", killed)
        with pytest.raises(KeyboardInterrupt):
            store.get(tiny, examples, LEVELS)
    whole = plans(capsys)
    store.get(tiny, examples, LEVELS)
    (rest,) = plans(capsys)
    n = [int(line.split(" texts")[0].rsplit(" ", 1)[1]) for line in (*whole, rest)]
    assert n == [len(examples), len(examples) - len(done[0][3])]

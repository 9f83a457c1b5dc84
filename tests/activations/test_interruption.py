"""Kills, flipped bits and crowds: an entry ends as an undisturbed one would, or is refused.

`LATENTMECH_KILLS=50 LATENTMECH_FLIPS=100 pytest tests/activations/test_interruption.py -rP` kills fifty times and
flips a hundred bits in each kind of file.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.errors import Filled, IntegrityError
from latentmech.model import levels_of

N_KILLS = int(os.environ.get("LATENTMECH_KILLS", "3"))
N_FLIPS = int(os.environ.get("LATENTMECH_FLIPS", "34"))
LEVELS = levels_of(3)
module = import_module("latentmech.activations.store")
fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def fill(tiny, examples):
    """Start a process that fills the entry under `root`; its weights are booted already, so it starts at once."""
    assert tiny.bridge.cfg.n_layers == 3
    assert tiny.identity

    def start(root: Path, written=None, together=None):
        process = fork.Process(target=work, args=(tiny, examples, root, written, together))
        process.start()
        return process

    return start


def work(tiny, examples, root, written, together):
    torch.set_num_threads(1)  # a forked process must not wait for its parent's threads
    tqdm.set_lock(threading.RLock())  # tqdm's own is shared with later forks, and one killed inside it never lets go
    if written is not None:
        write = module._write_shard
        module._write_shard = lambda folder, number, *rest: (written.put(number), write(folder, number, *rest))[1]
    if together is not None:
        together.wait(30)
    store(root).get(tiny, examples, LEVELS)


def store(root: Path) -> ActivationStore:
    return ActivationStore(root=str(root), shard_rows=16)


def entry(root: Path) -> Path | None:
    return next((p for p in root.iterdir() if p.name != "locks"), None) if root.exists() else None


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def finished(process) -> bool:
    process.join(60)
    return process.exitcode == 0


@pytest.fixture(scope="module")
def undisturbed(fill, tmp_path_factory):
    """What an entry must end as, and how long filling it takes."""
    root = tmp_path_factory.mktemp("undisturbed")
    begin = time.perf_counter()
    assert finished(fill(root))
    return contents(entry(root)), time.perf_counter() - begin


@pytest.mark.parametrize("kill", range(N_KILLS))
def test_a_killed_run_is_resumed_to_the_same_bytes(fill, undisturbed, tmp_path, kill):
    expected, seconds = undisturbed
    moment = seconds * (kill + random.Random(kill).random()) / N_KILLS  # spread over the run
    process = fill(tmp_path)
    process.join(moment)
    process.kill()  # SIGKILL; nothing if it was quicker than the undisturbed one
    process.join()
    before = stamps(tmp_path)
    assert finished(fill(tmp_path))
    assert contents(entry(tmp_path)) == expected
    after = stamps(tmp_path)
    assert sum(after[name] != stamp for name, stamp in before.items()) <= 1, "more than one shard was made again"
    print(f"killed after {moment:.2f} of {seconds:.2f} s with {len(before)} of {len(after)} shards")


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Which file each shard is: a rewritten one is another file."""
    folder = entry(root)
    found = {p.name: p.stat() for p in folder.glob("shard-*")} if folder else {}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


STEPS = [
    *(("fsync", number) for number in (1, 2, 3, 4, 5, 6, 13)),
    ("replace", 1),
    ("link", 1),
    ("link", 2),
    ("link", 5),
]


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_a_run_killed_at_this_very_step_is_resumed_to_the_same_bytes(fill, undisturbed, tmp_path, step, number):
    """Flushes come in the order entry, folder, shard, folder, record, folder, shard and so on."""
    owner = Path if step == "replace" else os
    real, calls = getattr(owner, step), []

    def die(*args):
        calls.append(args)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, step, die)  # inherited by the fork
        process = fill(tmp_path)
        process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert finished(fill(tmp_path))
    assert contents(entry(tmp_path)) == undisturbed[0]


@pytest.mark.parametrize("torn", [b"", b"0123", b'0123456789abcdef {"file":"shard-0', b"\xff\xc3"])
def test_an_entry_of_an_older_version_is_read_and_completed(fill, sound, tmp_path, tiny, examples, torn):
    """Its records are lines of one file, of which a kill tore the last."""
    assert finished(fill(tmp_path))
    records = sorted(entry(tmp_path).glob("shard-*.json"))
    lines = [path.read_bytes() for path in records]
    for path in records:
        path.unlink()
    (entry(tmp_path) / "manifest.jsonl").write_bytes(b"".join(lines))
    before = stamps(tmp_path)
    assert outcome(tmp_path, tiny, examples, sound[1]) == "healed"
    assert stamps(tmp_path) == before
    (entry(tmp_path) / "manifest.jsonl").write_bytes(b"".join(lines[:-1]) + torn)
    assert finished(fill(tmp_path))
    assert outcome(tmp_path, tiny, examples, sound[1]) == "healed"
    assert [path.name for path in entry(tmp_path).glob("shard-*.json")] == [records[-1].name]


@pytest.fixture(scope="module")
def sound(fill, tmp_path_factory, tiny, examples):
    root = tmp_path_factory.mktemp("sound")
    assert finished(fill(root))
    return root, store(root).get(tiny, examples, LEVELS).stack()


@pytest.mark.parametrize("kind", ["entry.json", "record", "shard"])
def test_no_flipped_bit_ever_gives_a_wrong_answer(sound, tiny, examples, kind):
    root, truth = sound
    rng, outcomes = random.Random(kind), {"refused": 0, "healed": 0}
    whole = contents(entry(root))
    names = sorted(name for name in whole if KINDS[kind](name))
    for _ in range(N_FLIPS):
        name = rng.choice(names)
        place, bit = rng.randrange(len(whole[name])), rng.randrange(8)
        flip(entry(root) / name, place, bit)
        outcomes[outcome(root, tiny, examples, truth)] += 1
        (entry(root) / name).write_bytes(whole[name])
    print(kind, outcomes)
    assert outcomes["refused"] == N_FLIPS


KINDS = {
    "entry.json": lambda name: name == "entry.json",
    "record": lambda name: name.startswith("shard") and name.endswith(".json"),
    "shard": lambda name: name.endswith(".safetensors"),
}


@pytest.mark.parametrize("name", ["entry.json", "shard-00001.json"])
def test_no_bit_flipped_at_a_line_end_gives_a_wrong_answer(sound, tiny, examples, name):
    root, truth = sound
    path = entry(root) / name
    whole = path.read_bytes()
    for place in {i for i, byte in enumerate(whole) if byte == 10 and (i < 400 or i == len(whole) - 1)}:
        for bit in range(8):
            flip(path, place, bit)
            assert outcome(root, tiny, examples, truth) == "refused"
            path.write_bytes(whole)


def outcome(root, tiny, examples, truth) -> str:
    try:
        found = store(root).get(tiny, examples, LEVELS).stack()
    except IntegrityError:
        return "refused"
    torch.testing.assert_close(found, truth, rtol=1e-5, atol=1e-5)
    return "healed"


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["shard-00000.safetensors", "shard-00003.safetensors"])
def test_a_missing_shard_is_refused(sound, tiny, examples, name):
    root, truth = sound
    path = entry(root) / name
    whole = path.read_bytes()
    path.unlink()
    assert outcome(root, tiny, examples, truth) == "refused"
    path.write_bytes(whole)


def test_two_processes_make_one_entry_and_no_shard_twice(fill, undisturbed, tmp_path):
    written, together = fork.Queue(), fork.Barrier(2)
    both = [fill(tmp_path, written, together) for _ in range(2)]
    n_shards = sum(name.endswith(".safetensors") for name in undisturbed[0])
    numbers = [written.get(timeout=60) for _ in range(n_shards)]
    assert [finished(process) for process in both] == [True, True]
    assert written.empty()
    assert sorted(numbers) == list(range(n_shards))
    assert contents(entry(tmp_path)) == undisturbed[0]


def test_the_one_that_waits_says_so(tmp_path, capsys):
    lock = tmp_path / "entry.lock"
    with module._turn(lock):
        waiting = fork.Process(target=wait_for, args=(lock, tmp_path / "said"))
        waiting.start()
        while not (tmp_path / "said").exists():
            waiting.join(0.01)
            assert waiting.is_alive()
    assert finished(waiting)
    assert "another process" in (tmp_path / "said").read_text()


def wait_for(lock: Path, said: Path) -> None:
    module.print = lambda text, file: said.write_text(text)
    with module._turn(lock):
        pass


def shares(tiny, examples, root, *shards):
    """Fill some shares, one after the other, and give what each says."""
    said = []
    for shard in shards:
        try:
            replace(store(root), shard=shard).get(tiny, examples, LEVELS)
        except Filled as filled:
            said.append(str(filled).partition(": ")[2])
    return said


def test_shares_make_up_the_same_entry_whatever_their_number(undisturbed, tiny, examples, tmp_path):
    n = sum(name.endswith(".safetensors") for name in undisturbed[0])
    first = len(range(1, n, 4))
    assert shares(tiny, examples, tmp_path, "1/4") == [f"shard 1/4 wrote {first} of {n} files; {n - first} are missing"]
    before = stamps(tmp_path)
    said = shares(tiny, examples, tmp_path, "0/3", "2/3", "1/3")
    assert said[-1].endswith("0 are missing")
    assert contents(entry(tmp_path)) == undisturbed[0]
    assert {name: stamp for name, stamp in stamps(tmp_path).items() if name in before} == before
    assert shares(tiny, examples, tmp_path, "1/3") == []  # all is there: it answers as any other


def test_workers_side_by_side_of_which_one_is_killed(fill, undisturbed, tiny, examples, tmp_path):
    workers = [
        fork.Process(target=share_of, args=(tiny, examples, tmp_path, f"{i}/4")) for i in range(4)
    ]  # fmt: skip
    for worker in workers:
        worker.start()
    while not list(tmp_path.glob("*/shard-*.json")):
        time.sleep(0.01)
    workers[3].kill()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers[:3]] == [0, 0, 0]
    again = fork.Process(target=share_of, args=(tiny, examples, tmp_path, "3/4"))
    again.start()
    assert finished(again)
    assert contents(entry(tmp_path)) == undisturbed[0]


def share_of(tiny, examples, root, shard):
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())
    shares(tiny, examples, root, shard)


def test_two_that_make_other_numbers_of_the_same_shard_leave_a_sound_entry(tiny, examples, tmp_path, monkeypatch):
    """On two kinds of machine the last digits differ: the file and its record are of one of them."""
    write = module.write_new

    def beside(path, data):
        if path.name == "shard-00000.safetensors":
            write(path, bytes(data[:-1]) + b"?")
        return write(path, data)

    monkeypatch.setattr(module, "write_new", beside)
    rows = store(tmp_path).get(tiny, examples, LEVELS)
    assert rows.shards[0].name != "shard-00000.safetensors"
    assert torch.isfinite(rows.stack()).all()

"""Sums on disk: what has been added up so far and of which pieces, in one file that is whole or not there.

A worker has a file of its own and replaces it from time to time, so that no file has two writers; another number of
workers later finds what is in these files and does the rest. A piece that two files have counts in one of them: the
other is left out, and what it alone had is done again. Sums of one file are of its pieces in their order, whether it
was killed or not.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentmech.activations.activations import damaged
from latentmech.activations.moments import JointMoments, Moments
from latentmech.activations.reduction import Piece, Pieces, Sums
from latentmech.errors import Filled
from latentmech.storage import canonical_json, save_json, sweep, write_bytes
from latentmech.tensors import CARD

SECONDS = 60.0  # between two writings of what is there
WHOLE = "moments.safetensors"
Share = tuple[int, int]  # which of how many workers


@dataclass
class State:
    """Sums of some pieces, which grow."""

    pieces: list[int] = field(default_factory=list)
    sums: Sums = field(default_factory=dict)

    def save(self, path: Path, key: dict[str, Any]) -> str:
        """Write all of it as one file, with a checksum inside; returns the SHA-256 of the file."""
        tensors = {name: tensor.contiguous() for name, tensor in _tensors(self.sums).items()}
        card = {"key": key, "pieces": _ranges(self.pieces), "checksum": _digest(tensors)}
        return write_bytes(path, save(tensors, {CARD: canonical_json(card)}))

    @classmethod
    def load(cls, path: Path, key: dict[str, Any]) -> "State":
        """Read what `save` wrote.

        Raises:
            IntegrityError: it is not what was written, or was written for something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                card = json.loads((file.metadata() or {})[CARD])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if card["key"] != json.loads(canonical_json(key)) or card["checksum"] != _digest(tensors):
                raise damaged(path)
            return cls([p for begin, end in card["pieces"] for p in range(begin, end)], _sums(tensors))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise damaged(path) from error


def summed_up(
    folder: Path, key: dict[str, Any], source: Pieces, add: Callable[[Sums, Piece], None], share: Share = (0, 1)
) -> Sums:
    """Sums of all pieces of a source; those that no file has are added up now.

    Args:
        share: `(i, n)`: only every n-th piece from the i-th on; the whole is written by whoever has all of it.

    Raises:
        Filled: some are left for others to do.
        IntegrityError: a file is damaged.
    """
    if (folder / WHOLE).exists():
        return State.load(folder / WHOLE, key).sums
    i, n = share
    sweep(folder)
    own_path = folder / f"part-{i}-of-{n}.safetensors"
    states = _disjoint(folder, key, own_path)
    own, others = states.pop(own_path, State()), [*states.values()]
    done = {piece for state in (own, *others) for piece in state.pieces}
    todo = [piece for piece in range(i, len(source), n) if piece not in done]
    _fill(own, own_path, key, source, add, todo)
    if n > 1 and todo:
        own.save(own_path, key)
    left = len(source) - len(done) - len(todo)
    if left or (n > 1 and todo):
        raise Filled(f"{folder.name}: shard {i}/{n} added up {len(todo)} of {len(source)} pieces; {left} are missing")
    whole = State(list(range(len(source))), _merged([own, *others]))
    if n == 1:
        digest = whole.save(folder / WHOLE, key)
        save_json(folder / "moments.json", {"key": key, "pieces": len(source), "sha256": digest})
        for path in folder.glob("part-*.safetensors"):
            path.unlink(missing_ok=True)
    return whole.sums


def all_of(*works: Callable[[], object]) -> None:
    """Do each, for what it leaves on the disk; a worker fills its share of all of them before it ends.

    Raises:
        Filled: of some of them others have shares left.
    """
    said = []
    for work in works:
        try:
            work()
        except Filled as filled:
            said.append(str(filled))
    if said:
        raise Filled("; ".join(said))


def _fill(
    own: State, path: Path, key: dict[str, Any], source: Pieces, add: Callable[[Sums, Piece], None], todo: Sequence[int]
) -> None:
    written = time.monotonic()
    for number, pieces in source.read(set(todo)):
        for piece in pieces:
            add(own.sums, piece)
        own.pieces.append(number)
        if time.monotonic() - written > SECONDS:
            own.save(path, key)
            written = time.monotonic()


def _disjoint(folder: Path, key: dict[str, Any], first: Path) -> dict[Path, State]:
    """The states on disk that share no piece, a worker's own first."""
    found: dict[Path, State] = {}
    seen: set[int] = set()
    for path in sorted(folder.glob("part-*.safetensors"), key=lambda path: (path != first, path.name)):
        try:
            state = State.load(path, key)
        except FileNotFoundError:  # another run has finished meanwhile
            continue
        if not seen & {*state.pieces}:
            found[path] = state
            seen |= {*state.pieces}
    return found


def _merged(states: Sequence[State]) -> Sums:
    """The sums of all, in order of their first pieces."""
    sums: Sums = {}
    for state in sorted((one for one in states if one.pieces), key=lambda one: one.pieces[0]):
        for name, own in state.sums.items():
            sums[name] = sums[name] + own if name in sums else own
    return sums


def _ranges(pieces: Sequence[int]) -> list[list[int]]:
    """Numbers as `[begin, end)`, in the order that they were added."""
    ranges: list[list[int]] = []
    for piece in pieces:
        if ranges and ranges[-1][1] == piece:
            ranges[-1][1] += 1
        else:
            ranges.append([piece, piece + 1])
    return ranges


def _tensors(sums: Sums) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, own in sums.items():
        found |= {f"{name}|n": own.whole.counts, f"{name}|mean": own.whole.means, f"{name}|scatter": own.whole.within}
        for i, (counts, means) in enumerate(zip(own.counts, own.means, strict=True)):
            found |= {f"{name}|counts.{i}": counts, f"{name}|means.{i}": means}
    return found


def _sums(tensors: dict[str, Tensor]) -> Sums:
    found: Sums = {}
    for name in dict.fromkeys(key.partition("|")[0] for key in tensors):
        whole = Moments(*(tensors[f"{name}|{what}"] for what in ("n", "mean", "scatter")))
        n = sum(key.startswith(f"{name}|counts.") for key in tensors)
        counts, means = (tuple(tensors[f"{name}|{what}.{i}"] for i in range(n)) for what in ("counts", "means"))
        found[name] = JointMoments(whole, counts, means)
    return found


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()

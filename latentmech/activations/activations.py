"""`Activations`: residual streams as a value, one level at a time, straight from disk; and the record of their shards.

A shard has a record beside it, `shard-00007.json`, and readers trust that alone: a shard without one is not there. The
record carries a checksum of itself and the SHA-256 of its shard. Each is written whole and under a name that nobody
else has, so that several processes, on several machines, fill one entry without a lock; of two that make the same shard
the first record counts. Entries of older versions have the records as lines of one file.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from latentmech.errors import IntegrityError
from latentmech.storage import canonical_json, complete_lines, file_sha256, write_new

ROW = "row"  # the tensor in every shard that says which rows it holds


@dataclass(frozen=True)
class Activations:
    """Activations of `n_rows` words (or texts) at several hook points.

    Shards keep texts of one length together; a level is put back into the order of the examples when read.

    Attributes:
        hook_names: the levels, in order of depth.
        shards: safetensors files; each maps a hook name to `[row, d_model]` and `row` to row numbers.
    """

    hook_names: tuple[str, ...]
    n_rows: int
    d_model: int
    shards: tuple[Path, ...]

    def level(self, hook_name: str) -> Float[Tensor, "row d_model"]:
        """All rows at one hook point, as float32. The shards are memory-mapped; only this level is read.

        Raises:
            KeyError: `hook_name` was not collected.
        """
        if hook_name not in self.hook_names:
            raise KeyError(f"{hook_name} was not collected; there are {', '.join(self.hook_names)}")
        rows = torch.empty(self.n_rows, self.d_model)
        filled = 0
        for shard in self.shards:
            with safe_open(shard, framework="pt") as file:
                index = file.get_tensor(ROW)
                rows[index] = file.get_tensor(hook_name).float()
                filled += len(index)
        if filled != self.n_rows:
            seen = f"{self.shards[0].parent} holds {filled} rows, expected {self.n_rows}"
            raise IntegrityError(f"{seen}; delete it, run again")
        return rows

    def stack(self) -> Float[Tensor, "row level d_model"]:
        """Every level at once; for data that fits into memory."""
        return torch.stack([self.level(name) for name in self.hook_names], dim=1)


@dataclass(frozen=True)
class Shard:
    """One recorded file: its number, name, checksum and how many rows it holds."""

    number: int
    file: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """The records in the folder of an entry."""

    folder: Path

    def shards(self) -> list[Shard]:
        """What is recorded so far, by number.

        Raises:
            IntegrityError: a record is damaged.
        """
        older = self.folder / "manifest.jsonl"
        found = [self._parse(older, line) for line in complete_lines(older)]
        for path in self.folder.glob("shard-*.json"):
            text = path.read_bytes().decode(errors="replace")
            found.append(self._parse(path, text.removesuffix("\n") if text.endswith("\n") else ""))
        return sorted({shard.number: shard for shard in found}.values(), key=lambda shard: shard.number)

    def append(self, shard: Shard) -> None:
        """Record a shard whose file is complete on disk; one that is recorded already stays as it is."""
        body = canonical_json(vars(shard))
        write_new(self.folder / f"shard-{shard.number:05d}.json", f"{_digest(body)} {body}\n".encode())

    def verify(self, shards: list[Shard]) -> None:
        """Compare every shard with its recorded checksum.

        Raises:
            IntegrityError: one is missing or differs.
        """
        with ThreadPoolExecutor(2) as pool:  # hashing leaves the interpreter free
            list(pool.map(self._verify, shards))

    def _verify(self, shard: Shard) -> None:
        path = self.folder / shard.file
        if not path.exists() or file_sha256(path) != shard.sha256:
            raise damaged(path)

    def _parse(self, path: Path, line: str) -> Shard:
        digest, _, body = line.partition(" ")
        if digest != _digest(body):
            raise damaged(path)
        return Shard(**json.loads(body))


def damaged(path: Path) -> IntegrityError:
    """The error for a file that is not what was written."""
    return IntegrityError(f"{path} is damaged or missing; delete the folder {path.parent} and run again")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]

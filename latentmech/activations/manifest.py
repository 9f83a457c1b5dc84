"""The append-only record of an entry's shards. Readers trust it alone; a shard that it does not name is not there.

Every line carries a checksum of itself and the SHA-256 of its shard. A kill can only tear the last line, which
has then no newline and does not count.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from latentmech.errors import IntegrityError
from latentmech.storage import append_line, canonical_json, complete_lines, file_sha256


@dataclass(frozen=True)
class Shard:
    """One recorded file: its number, name, checksum and how many rows it holds."""

    number: int
    file: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """`manifest.jsonl` in the folder of an entry."""

    folder: Path

    @property
    def path(self) -> Path:
        """The record itself."""
        return self.folder / "manifest.jsonl"

    def shards(self) -> list[Shard]:
        """What is recorded so far.

        Raises:
            IntegrityError: a complete line is damaged.
        """
        return [self._parse(line) for line in complete_lines(self.path)]

    def drop_torn_line(self) -> None:
        """Cut off what a killed writer left behind the last newline."""
        if self.path.exists():
            data = self.path.read_bytes()
            with self.path.open("r+b") as file:
                file.truncate(data.rfind(b"\n") + 1)

    def append(self, shard: Shard) -> None:
        """Record a shard whose file is complete on disk."""
        body = canonical_json(vars(shard))
        append_line(self.path, f"{_digest(body)} {body}")

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

    def _parse(self, line: str) -> Shard:
        digest, _, body = line.partition(" ")
        if digest != _digest(body):
            raise damaged(self.path)
        return Shard(**json.loads(body))


def damaged(path: Path) -> IntegrityError:
    """The error for a file that is not what was written."""
    return IntegrityError(f"{path} is damaged or missing; delete the folder {path.parent} and run again")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]

"""`TextStream`: texts that are never all in memory, from JSONL, Parquet or a folder of such, in numbered pieces.

Pieces are the same whoever reads them, and can be read in any order: of a JSONL file the lines that begin in one MiB of
it, of a Parquet file some thousand rows of a row group. What was read is known by the numbers of its pieces.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from latentmech.data.examples import Examples
from latentmech.data.files import given
from latentmech.data.table import GROUPS, NO_LABELS, Row, json_row, split_in, tabulated, text_from
from latentmech.errors import BadInput, first_line, listed
from latentmech.fields import OneOf, check
from latentmech.storage import file_sha256

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

BYTES, ROWS = 2**20, 1000  # of a piece of JSONL, of Parquet
TOGETHER = 256  # texts that are handed on at a time
Result = TypeVar("Result")
SUFFIXES = (".jsonl", ".parquet")


@dataclass(frozen=True)
class TextStream:
    """Texts on disk.

    Attributes:
        path: a JSONL or Parquet file, or a folder of such; they are read in the order of their names, and a name with
            train, dev or test in it says the split of its texts.
        columns: label columns that are kept; all others are passed over.
        text: the column that is the text, if it has another name.
        too_long: texts longer than a model reads: `refuse` them, `cut` them, or `leave_out`.
    """

    path: str | Path
    columns: Sequence[str] = ()
    text: str | None = None
    too_long: Annotated[str, OneOf("refuse", "cut", "leave_out")] = "refuse"

    def __post_init__(self) -> None:
        check(self, "stream")

    @cached_property
    def files(self) -> list[Path]:
        """What is read, in order.

        Raises:
            BadInput: there is no such file.
        """
        path = given(self.path)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        found = [file for file in files if file.suffix.lower() in SUFFIXES]
        if not found:
            seen = listed(file.name for file in files) or "nothing"
            raise BadInput(f"{path}: there is {seen}; expected files that end in {', '.join(SUFFIXES)}")
        return found

    @cached_property
    def key(self) -> dict[str, Any]:
        """What the texts depend on: the bytes of the files, which columns are read, how they are cut into pieces."""
        own = {"columns": list(self.columns), "text": self.text, "too_long": self.too_long, "cut": [BYTES, ROWS]}
        return {**own, "files": [[file_sha256(file), split_in(file.stem)] for file in self.files]}

    def __len__(self) -> int:
        return sum(self._sizes)

    @cached_property
    def _sizes(self) -> list[int]:
        """Pieces of each file, known without reading it."""
        return [
            -(-file.stat().st_size // BYTES) if file.suffix.lower() == ".jsonl" else sum(_in_groups(_parquet(file)))
            for file in self.files
        ]

    def read(self, numbers: Collection[int]) -> Iterator[tuple[int, Iterator[Examples]]]:
        """The pieces of these numbers, in order, a few texts at a time; a piece has to be read before the next one.

        Raises:
            BadInput: a row is not what it must be; the message names file and line.
        """
        begin = 0
        for file, size in zip(self.files, self._sizes, strict=True):
            own = sorted(number - begin for number in numbers if begin <= number < begin + size)
            pieces = _jsonl_pieces if file.suffix.lower() == ".jsonl" else _parquet_pieces
            for number, rows in pieces(file, own, self._wanted):
                yield begin + number, self._examples(file, number, rows)
            begin += size

    @property
    def _wanted(self) -> frozenset[str]:
        return frozenset({*NO_LABELS, *GROUPS, *self.columns, *([self.text] if self.text else [])})

    def _tabulated(self, file: Path, rows: Sequence[Row]) -> Examples:
        return tabulated(file, text_from(rows, self.text))

    def _examples(self, file: Path, number: int, rows: Iterator[Row]) -> Iterator[Examples]:
        split, read = split_in(file.stem), 0
        while some := _said_by_line(lambda: list(islice(rows, TOGETHER))):
            examples = _said_by_line(partial(self._tabulated, file, some))
            named = [row.values.get("id") for row in some]
            ids = tuple(str(own or f"{file.stem}-{number}-{read + i}") for i, own in enumerate(named))
            splits = (split,) * len(some) if split else examples.splits
            read += len(some)
            yield replace(examples, ids=ids, splits=splits, too_long=self.too_long)


def _jsonl_pieces(path: Path, numbers: Sequence[int], wanted: Collection[str]) -> Iterator[tuple[int, Iterator[Row]]]:
    for number in numbers:
        yield number, _lines(path, number * BYTES, wanted)


def _lines(path: Path, begin: int, wanted: Collection[str]) -> Iterator[Row]:
    """The objects whose lines begin in a piece; where they are is said by the byte, for lines are not counted."""
    with path.open("rb") as file:
        file.seek(max(begin - 1, 0))
        if begin:
            file.readline()  # what began in the piece before
        while (at := file.tell()) < begin + BYTES and (line := file.readline()):
            where = f"{path}, byte {at}"
            try:
                text = line.decode("utf-8" if at else "utf-8-sig")
            except UnicodeDecodeError as error:
                seen = f"byte 0x{error.object[error.start]:02x}"
                raise BadInput(f"{where}: {seen} is not UTF-8; expected UTF-8 text: save it as UTF-8") from None
            if text.strip():
                row = json_row(where, text.strip())
                yield Row(where, {name: value for name, value in row.values.items() if name in wanted})


def _said_by_line(work: Callable[[], Result]) -> Result:
    """What `work` gives; what it finds wrong at some byte of a file, with the number of the line instead."""
    try:
        return work()
    except BadInput as error:
        found = re.match(r"(.+), byte (\d+): (.*)", str(error), re.DOTALL)
        raise error if found is None else BadInput(f"{found[1]}:{_line_at(*found.groups()[:2])}: {found[3]}") from None


def _line_at(path: str, at: str) -> int:
    lines, left = 1, int(at)
    with Path(path).open("rb") as file:
        while left > 0 and (data := file.read(min(left, 2**24))):
            lines += data.count(b"\n")
            left -= len(data)
    return lines


def _parquet(path: Path) -> "ParquetFile":
    """The file, opened.

    Raises:
        BadInput: it is no Parquet file.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise BadInput(f"{path}: no readable Parquet file ({first_line(error)}); export it again") from error


def _in_groups(file: "ParquetFile") -> list[int]:
    """How many pieces each row group has."""
    return [-(-file.metadata.row_group(i).num_rows // ROWS) for i in range(file.metadata.num_row_groups)]


def _parquet_pieces(path: Path, numbers: Sequence[int], wanted: Collection[str]) -> Iterator[tuple[int, Iterator[Row]]]:
    file, first, row = _parquet(path), 0, 0
    columns = [name for name in file.schema_arrow.names if name in wanted]
    for group, n in enumerate(_in_groups(file)):
        asked = {number for number in numbers if first <= number < first + n}
        batches = file.iter_batches(ROWS, row_groups=[group], columns=columns) if asked else ()
        rows = (values for batch in batches for values in batch.to_pylist())
        for number in range(first, first + n) if asked else ():
            end = min(ROWS, file.metadata.row_group(group).num_rows - (number - first) * ROWS)
            begin = row + (number - first) * ROWS
            piece = (Row(f"{path}, row {begin + i + 1}", values) for i, values in enumerate(islice(rows, end)))
            if number in asked:
                yield number, piece
            for _ in piece:  # what was not wanted, or not read
                pass
        first, row = first + n, row + file.metadata.row_group(group).num_rows


def read_parquet(path: str | Path, text: str | None = None) -> Examples:
    """All rows of a Parquet file.

    Args:
        text: the column that is the text, if it has another name.
    """
    file = _parquet(Path(path))
    pieces = _parquet_pieces(Path(path), range(sum(_in_groups(file))), file.schema_arrow.names)
    return tabulated(Path(path), text_from([row for _, rows in pieces for row in rows], text))

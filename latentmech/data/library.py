"""`Library`: the settings that name a test collection, and the call that reads it and splits its queries."""

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from latentmech.data.beir import is_beir, read_beir
from latentmech.data.collection import Collection, at_least, fewer_documents, fewer_queries, halved
from latentmech.data.files import missing
from latentmech.data.trec import NUMBERINGS, read_trec
from latentmech.errors import BadInput, expected


@dataclass(frozen=True)
class Library:
    """Where documents, queries and judgements come from. Called, it gives a `Collection`.

    Attributes:
        path: a BEIR-style folder (`corpus.jsonl`, `queries.jsonl`, `qrels/*.tsv`) or one with TREC files. None reads a
            bundled collection.
        name: which bundled collection that is.
        numbering: of the topics of TREC files: `id`, or `position` where judgements count them by their place.
        limit: search only about so many documents: all relevant ones and a seeded sample of the rest.
        query_limit: keep only about so many queries.
        dev: the share of the queries to choose by, for data without splits of its own.
        seed: of that split and of both samples.
    """

    path: str | Path | None = None
    name: str = "passages"
    numbering: str = "id"
    limit: int | None = None
    query_limit: int | None = None
    dev: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.numbering not in NUMBERINGS:
            raise BadInput(f"numbering={self.numbering} is unknown; expected one of {', '.join(NUMBERINGS)}")
        if not 0 < self.dev < 1:
            raise BadInput(f"dev={self.dev}; expected a share of the queries between 0 and 1")
        for name, value in (("limit", self.limit), ("query_limit", self.query_limit)):
            if value is not None and value < 2:
                raise BadInput(f"{name}={value}; expected at least 2, or null to keep all")
        if self.path is None and self.name not in bundled_collections():
            seen = f"no bundled collection {self.name!r}; {expected(self.name, bundled_collections())}"
            raise BadInput(f"{seen}; or set `path` to your own data")

    def __call__(self) -> Collection:
        """Read, split the queries, limit."""
        collection = self._read()
        if not collection.queries.own_splits:
            collection = halved(collection, self.dev, self.seed)
        if self.query_limit is not None:
            collection = fewer_queries(collection, self.query_limit, self.seed)
        if self.limit is not None and self.limit < len(collection.documents):
            collection = fewer_documents(collection, self.limit, self.seed)
        at_least(collection)
        return collection

    def _read(self) -> Collection:
        if self.path is None:
            with resources.as_file(resources.files("latentmech.data") / "collections" / self.name) as folder:
                return replace(read_beir(folder), source=f"bundled {self.name}")
        path = Path(self.path).expanduser()
        if not path.exists():
            raise missing(path)
        if not path.is_dir():
            raise BadInput(f"{path} is a file; expected a folder: corpus.jsonl, queries.jsonl, qrels/, or TREC files")
        return read_beir(path) if is_beir(path) else read_trec(path, self.numbering)


def bundled_collections() -> list[str]:
    """Names of the bundled collections."""
    return sorted(
        entry.name for entry in (resources.files("latentmech.data") / "collections").iterdir() if entry.is_dir()
    )

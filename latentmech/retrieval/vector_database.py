"""`VectorDatabase`: where indexes are kept. A folder, an object store or a service by the same setting, by LanceDB.

A folder is a database, and so is an object store's URI (`s3://bucket/path`, credentials as LanceDB takes them) or
LanceDB's own service (`db://name`, with LANCEDB_API_KEY). A table is an index; its card stands in the table's schema.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentmech.errors import ResourceError, first_line
from latentmech.retrieval.settings import VectorDatabaseSettings
from latentmech.retrieval.vector_index import CARD, VectorIndex
from latentmech.retrieval.vectors import Card, check_card
from latentmech.storage import cache_root, canonical_json, make_folder


@dataclass(frozen=True, kw_only=True)
class VectorDatabase(VectorDatabaseSettings):
    """A place with indexes. Its settings are those of `VectorDatabaseSettings`."""

    @property
    def where(self) -> str:
        """Its address, as LanceDB takes it."""
        uri = self.uri or str(make_folder(cache_root() / "indexes"))
        return uri if "://" in uri else str(Path(uri).expanduser())

    def connect(self) -> Any:
        """The database, once it has answered.

        Raises:
            ResourceError: it cannot be reached.
        """
        import lancedb

        try:
            database = lancedb.connect(self.where)
            database.list_tables()
        except (OSError, RuntimeError, ValueError) as error:
            advice = "look at retrieval.index.uri and at the credentials"
            raise ResourceError(
                f"cannot reach the vector database {self.where} ({_reason(error)}); {advice}"
            ) from error
        return database

    def open(self, name: str, card: Card, d: int) -> VectorIndex:
        """An index for vectors of `d` numbers made as `card` says; made if it is not there.

        Raises:
            IntegrityError: it was filled by another model, level, pooling or space.
            ResourceError: the database cannot be reached or written.
        """
        import pyarrow as pa

        database = self.connect()
        columns = [pa.field("id", pa.string()), pa.field("vector", pa.list_(pa.float32(), d))]
        schema = pa.schema(columns, metadata={CARD: canonical_json(card).encode()})
        try:
            there = name in _names(database)
            table = database.open_table(name) if there else database.create_table(name, schema=schema)
        except (OSError, RuntimeError, ValueError) as error:
            raise ResourceError(f"cannot open the index {name} in {self.where} ({_reason(error)})") from error
        index = VectorIndex(table, self.exact_below, self.nprobes, f"the index {name} in {self.where}")
        check_card(index.card, card, index.where)
        return index


def _names(database: Any) -> list[str]:
    """Tables of a database, which come page by page."""
    names, page = list[str](), None
    while True:
        found = database.list_tables(page_token=page)
        names, page = names + list(found.tables), found.page_token
        if not page:
            return names


def _reason(error: Exception) -> str:
    """What an object store says itself, if that is in it; else the beginning of the first line."""
    said = re.search(r"<Message>(.*?)</Message>", str(error))
    return said[1] if said else first_line(error)[:200]

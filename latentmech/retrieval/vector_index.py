"""`VectorIndex`: vectors in a LanceDB table, searched by cosine, that grow, shrink and know what filled them.

Below `exact_below` rows every vector is compared. Above, an inverted file (IVF; Jégou et al. 2011, "Product
quantization for nearest neighbor search", section 4) divides the vectors among k-means cells, and only those in the
`nprobes` cells nearest to the query are compared: quicker, and a neighbour in another cell is missed. How many cells
are enough depends on the vectors (of clusters a few, of unstructured noise nearly all), so the index finds out when it
is built: it doubles the number until rows taken from it find 97 % of what exact search finds for them. Queries may be
unlike the rows; `recall` measures it for them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from latentmech.retrieval.vectors import Card, Vectors, check_card

CARD = b"latentmech"  # key of the schema's metadata
PROBES = b"nprobes"  # key of the vector column's
ENOUGH, SAMPLED = 0.97, 20  # share of the exact neighbours to be found, and rows that it is measured on
DELETED_AT_ONCE = 500
SAME = 1e-6  # cosines that differ by less are equal, in single precision


@dataclass(frozen=True)
class VectorIndex:
    """An open index; `VectorDatabase.open` gives it."""

    table: Any
    exact_below: int
    nprobes: int | None
    where: str

    def __len__(self) -> int:
        return int(self.table.count_rows())

    @property
    def card(self) -> Card:
        """What filled it."""
        return json.loads((self.table.schema.metadata or {}).get(CARD, b"{}"))

    @property
    def is_approximate(self) -> bool:
        """Whether a search may miss something."""
        return bool(self.table.list_indices())

    @property
    def probed(self) -> int:
        """Cells that a search looks into."""
        noted = (self.table.schema.field("vector").metadata or {}).get(PROBES, b"1")
        return self.nprobes or int(noted)

    def ids(self) -> list[str]:
        """Names of all vectors."""
        return self.table.search().select(["id"]).limit(max(len(self), 1)).to_arrow()["id"].to_pylist()

    def add(self, vectors: Vectors) -> None:
        """Add vectors; one whose name is there already takes the place of the old one.

        Raises:
            IntegrityError: they were made otherwise than those that are there.
        """
        import pyarrow as pa

        check_card(self.card, vectors.card, self.where)
        flat = pa.array(vectors.rows.float().contiguous().view(-1).numpy())
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.rows.shape[1])
        rows = pa.table({"id": list(vectors.ids), "vector": column}, schema=self.table.schema)
        self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        if self.is_approximate:
            self.table.optimize()  # what has come since the cells were made is sorted into them
        elif len(self) >= self.exact_below:
            self._build()

    def delete(self, ids: Sequence[str]) -> None:
        """Forget vectors; names that are not there are passed over."""
        quoted = ["'" + name.replace("'", "''") + "'" for name in ids]
        for begin in range(0, len(quoted), DELETED_AT_ONCE):
            self.table.delete(f"id IN ({', '.join(quoted[begin : begin + DELETED_AT_ONCE])})")

    def search(self, queries: Vectors, k: int, *, exact: bool = False) -> tuple[list[list[str]], list[list[float]]]:
        """The `k` nearest of each query and their cosines, best first; `exact` compares every vector."""
        check_card(self.card, queries.card, self.where)
        found = [self._nearest(row, k, exact) for row in queries.rows.float().numpy()]
        return [names for names, _ in found], [scores for _, scores in found]

    def recall(self, queries: Vectors, k: int = 10) -> float:
        """Share of the exact `k` nearest that a search finds; any vector as near as the last of them is one."""
        return shared(self.search(queries, k)[1], self.search(queries, k, exact=True)[1])

    def vectors(self) -> Vectors:
        """All vectors, in the order of their names."""
        found = self.table.search().limit(max(len(self), 1)).to_arrow().sort_by("id")
        rows = found["vector"].combine_chunks().flatten().to_numpy().reshape(len(found), -1)
        return Vectors(tuple(found["id"].to_pylist()), torch.from_numpy(rows.copy()), self.card)

    def _nearest(self, row: Float[np.ndarray, " d"], k: int, exact: bool) -> tuple[list[str], list[float]]:
        query = self.table.search(row).distance_type("cosine").nprobes(self.probed).limit(k)
        query = query.bypass_vector_index() if exact else query
        found = query.select(["id", "_distance"]).to_arrow()
        return found["id"].to_pylist(), (1 - found["_distance"].to_numpy()).tolist()

    def _build(self) -> None:
        """Double the number of cells that are searched until that is enough, and write it down in the table."""
        from lancedb.index import IvfFlat

        cells = int(len(self) ** 0.5)
        self.table.create_index("vector", config=IvfFlat(distance_type="cosine", num_partitions=cells))
        places = np.random.default_rng(0).integers(len(self), size=SAMPLED).tolist()
        rows = self.table.take_offsets(places).to_arrow()["vector"].combine_chunks()
        taken = torch.tensor(np.stack(rows.to_numpy(zero_copy_only=False)))
        sample = Vectors(tuple(map(str, places)), taken, self.card)
        exact, probes = self.search(sample, 11, exact=True)[1], 8
        while probes < cells and shared(replace(self, nprobes=probes).search(sample, 11)[1], exact) < ENOUGH:
            probes *= 2
        self.table.update_field_metadata({"path": "vector", "metadata": {PROBES.decode(): str(probes)}})


def shared(found: Sequence[Sequence[float]], exact: Sequence[Sequence[float]]) -> float:
    """Mean share of the true neighbours that were found, by their cosines: among copies any may be named.

    Args:
        found: cosines of what was found for each query, falling.
        exact: the same of an exact search.
    """
    hits = [
        sum(cosine >= best[-1] - SAME for cosine in own) / len(best) for own, best in zip(found, exact, strict=True)
    ]
    return float(np.mean(hits))

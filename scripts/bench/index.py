"""Vector index: 100,000 synthetic rows built, searched, added to and deleted from; recall@10 against exact search.

    python scripts/bench/index.py --rows 100000 --d 384 --json index.json

Rows are drawn around cluster centres, `centre + noise`; `--spread` is the length of the noise where a centre is 1 from
the origin; queries are drawn in the same way and are not in the index. With `--clusters 0` rows are
drawn from a sphere without any structure, the hardest case there is for an index that divides space into cells, and one
that text does not come near. Time is a single query's, one after the other.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import torch

from latentmech.retrieval import VectorDatabase, VectorIndex, Vectors
from latentmech.retrieval.vector_index import shared

CARD = {"model": "synthetic"}
RECALL_BAR = 0.95


def drawn(n: int, d: int, clusters: int, spread: float, seed: int, prefix: str) -> Vectors:
    """Rows around centres that depend on `d` and `clusters` alone."""
    centres = torch.nn.functional.normalize(torch.randn(max(clusters, 1), d, generator=_seeded(0)), dim=-1)
    generator = _seeded(seed)
    noise = torch.nn.functional.normalize(torch.randn(n, d, generator=generator), dim=-1)
    own = centres[torch.randint(len(centres), (n,), generator=generator)]
    rows = own + spread * noise if clusters else noise
    return Vectors(tuple(f"{prefix}{i}" for i in range(n)), rows, CARD)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def searched(index: VectorIndex, queries: Vectors) -> dict[str, float]:
    """recall@10 and milliseconds per query, with the index and without."""
    cosines, times = [], []
    for exact in (False, True):
        started = time.perf_counter()
        cosines.append(index.search(queries, 10, exact=exact)[1])
        times.append(1000 * (time.perf_counter() - started) / len(queries.ids))
    return {"recall@10": shared(*cosines), "ms_per_query": times[0], "ms_per_query_exact": times[1]}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--d", type=int, default=384)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--spread", type=float, default=1.0)
    parser.add_argument("--nprobes", type=int)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    shape = (asked.d, asked.clusters, asked.spread)
    rows, queries = drawn(asked.rows, *shape, 1, "row"), drawn(asked.queries, *shape, 2, "query")
    found: dict[str, object] = {name: value for name, value in vars(asked).items() if name != "json"}
    with tempfile.TemporaryDirectory() as folder:
        index = VectorDatabase(uri=folder, nprobes=asked.nprobes).open("bench", CARD, asked.d)
        started = time.perf_counter()
        index.add(rows)
        found |= {"build_s": time.perf_counter() - started, "approximate": index.is_approximate, "probed": index.probed}
        found |= searched(index, queries)
        started = time.perf_counter()
        index.add(drawn(1000, *shape, 3, "late"))
        found |= {"add_1000_s": time.perf_counter() - started}
        started = time.perf_counter()
        index.delete([f"row{i}" for i in range(1000)])
        found |= {"delete_1000_s": time.perf_counter() - started, "rows_after": len(index)}
        found |= {f"{name}_after": value for name, value in searched(index, queries).items()}
    found |= {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
    for name, value in found.items():
        print(f"{name:24} {value:.4g}" if isinstance(value, float) else f"{name:24} {value}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    verdict = "holds" if float(str(found["recall@10"])) >= RECALL_BAR else "is missed"
    print(f"recall@10 of at least {RECALL_BAR} {verdict}")


if __name__ == "__main__":
    main()

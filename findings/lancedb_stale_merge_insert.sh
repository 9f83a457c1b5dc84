#!/usr/bin/env bash
# lancedb 0.40.0: merge_insert through a table handle that is not the newest inserts every id a second time.
# Expected: merge_insert("id").when_matched_update_all().when_not_matched_insert_all() updates the ids that the table
#   holds; a write that rests on an old version is retried on the new one or refused.
# Happens: the ids are matched against the version that the handle was opened at, the rows are appended to the newest
#   one, and nothing is said. checkout_latest() on the handle before the merge avoids it.
# Bites: two processes, or two objects in one, that each open the table once: every neighbour comes twice, and every
#   metric that counts ids shifts. Known upstream for the JavaScript client: lancedb/lancedb#3377.
# Seen:
#   lancedb 0.40.0 with ids 3, 4, 5 merged through one handle, then through another opened before
#   as it is               [0, 1, 2, 3, 3, 4, 4, 5, 5]
#   with checkout_latest() [0, 1, 2, 3, 4, 5]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lancedb==0.40.0
"$folder/venv/bin/python" - "$folder" <<'PY'
import sys
from importlib.metadata import version

import lancedb


def rows(ids):
    return [{"id": i, "vector": [float(i), 1.0]} for i in ids]


def upsert(table, ids):
    table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows(ids))


database = lancedb.connect(sys.argv[1] + "/vectors")
found = {}
for name in ("stale", "latest"):
    first = database.create_table(name, rows(range(3)))
    second = database.open_table(name)
    upsert(first, range(3, 6))
    if name == "latest":
        second.checkout_latest()
    upsert(second, range(3, 6))
    found[name] = sorted(database.open_table(name).to_arrow()["id"].to_pylist())
print("lancedb", version("lancedb"), "with ids 3, 4, 5 merged through one handle, then through another opened before")
print("as it is              ", found["stale"])
print("with checkout_latest()", found["latest"])
raise SystemExit(0 if found == {"stale": [0, 1, 2, 3, 3, 4, 4, 5, 5], "latest": list(range(6))} else 1)
PY

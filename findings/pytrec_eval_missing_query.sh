#!/usr/bin/env bash
# pytrec_eval-terrier 0.5.11 and ir-measures 0.4.3: a query without results is left out by one and counts 0 in the
#   other.
# Expected: one mean from one set of judgements and one run; ir-measures calls pytrec_eval for these measures.
# Happens: pytrec_eval gives values for queries that stand in both (as trec_eval without -c), so the mean over its
#   answer forgets the failures; ir-measures fills them up with 0. A query that is there with an empty dict of results
#   counts 0 in both.
# Bites: a system that finds nothing for its hardest queries scores better than one that finds something wrong.
# Seen:
#   pytrec_eval-terrier 0.5.11 ir-measures 0.4.3 mean P@1
#   nothing for the hard query   pytrec_eval 1.0  ir-measures 0.5
#   an empty answer for it       pytrec_eval 0.5  ir-measures 0.5
#   something wrong for it       pytrec_eval 0.5  ir-measures 0.5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pytrec_eval-terrier==0.5.11 ir-measures==0.4.3
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import ir_measures
import pytrec_eval
from ir_measures import P

judgements = {"easy": {"a": 1}, "hard": {"a": 1}}
runs = {
    "nothing for the hard query": {"easy": {"a": 1.0}},
    "an empty answer for it": {"easy": {"a": 1.0}, "hard": {}},
    "something wrong for it": {"easy": {"a": 1.0}, "hard": {"b": 1.0}},
}
print("pytrec_eval-terrier", version("pytrec_eval-terrier"), "ir-measures", version("ir-measures"), "mean P@1")
seen = {}
for name, run in runs.items():
    values = pytrec_eval.RelevanceEvaluator(judgements, {"P_1"}).evaluate(run)
    mean = sum(value["P_1"] for value in values.values()) / len(values)
    seen[name] = (mean, ir_measures.calc_aggregate([P @ 1], judgements, run)[P @ 1])
    print(f"{name:28} pytrec_eval {seen[name][0]}  ir-measures {seen[name][1]}")
raise SystemExit(0 if list(seen.values()) == [(1.0, 0.5), (0.5, 0.5), (0.5, 0.5)] else 1)
PY

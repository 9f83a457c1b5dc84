#!/usr/bin/env bash
# ir-measures 0.4.3: RR and RR@10 break ties in opposite orders, so the cut-off can raise the value.
# Expected: RR@10 is never above RR, and both read the same ranking.
# Happens: RR is computed by trec_eval (of equal scores the last name first), RR@10 by the MS MARCO code (the first
#   name first), chosen silently by which provider supports a cut-off. P@1 and nDCG@10 go with RR.
# Bites: MRR@10 next to nDCG@10 in one table, from a retriever with ties (whole-number judges, BM25, bfloat16 scores):
#   the two columns score different rankings, and a constant score wins or loses by the names of the documents.
# Seen:
#   ir-measures 0.4.3 on one query, documents a and b with the same score
#   only a is relevant: {'RR': 0.5, 'RR@10': 1.0, 'P@1': 0.0, 'nDCG@10': 0.631}
#   only b is relevant: {'RR': 1.0, 'RR@10': 0.5, 'P@1': 1.0, 'nDCG@10': 1.0}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ir-measures==0.4.3
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import ir_measures
from ir_measures import RR, P, nDCG

measures = [RR, RR @ 10, P @ 1, nDCG @ 10]
run = {"q": {"a": 1.0, "b": 1.0}}
print("ir-measures", version("ir-measures"), "on one query, documents a and b with the same score")
seen = {}
for relevant in ("a", "b"):
    values = ir_measures.calc_aggregate(measures, {"q": {relevant: 1}}, run)
    seen[relevant] = [round(values[measure], 3) for measure in measures]
    print(f"only {relevant} is relevant:", dict(zip(map(str, measures), seen[relevant], strict=True)))
raise SystemExit(0 if seen["a"][:2] == [0.5, 1.0] and seen["b"][:2] == [1.0, 0.5] else 1)
PY

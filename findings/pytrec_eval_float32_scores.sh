#!/usr/bin/env bash
# pytrec_eval-terrier 0.5.11: scores that differ are ties, and the names of the documents decide.
# Expected: a run of Python floats is ranked by those floats.
# Happens: trec_eval keeps a score as a 32-bit float. 0.99999999 and 0.99999998 become one number, and of equal scores
#   the document whose name comes last is put first. Renaming the documents turns the result round.
# Bites: probabilities near 1, log-probabilities of long texts and times as scores: a perfect ranking gets P@1 = 0.
#   BEIR, MTEB and ir-measures count this way. Known upstream: usnistgov/trec_eval#34.
# Seen:
#   pytrec_eval-terrier 0.5.11 with the relevant document ahead by score
#   a against b, (0.99, 0.98): {'recip_rank': 1.0, 'P_1': 1.0}
#   a against b, (0.99999999, 0.99999998): {'recip_rank': 0.5, 'P_1': 0.0}
#   z against b, (0.99999999, 0.99999998): {'recip_rank': 1.0, 'P_1': 1.0}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pytrec_eval-terrier==0.5.11
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import pytrec_eval


def first(relevant, other, scores):
    judged = pytrec_eval.RelevanceEvaluator({"q": {relevant: 1}}, {"P_1", "recip_rank"})
    return judged.evaluate({"q": {relevant: scores[0], other: scores[1]}})["q"]


print("pytrec_eval-terrier", version("pytrec_eval-terrier"), "with the relevant document ahead by score")
near = (0.99999999, 0.99999998)
wide = (0.99, 0.98)
seen = [first("a", "b", wide), first("a", "b", near), first("z", "b", near)]
labels = (f"a against b, {wide}", f"a against b, {near}", f"z against b, {near}")
for label, values in zip(labels, seen, strict=True):
    print(f"{label}:", values)
raise SystemExit(0 if [value["P_1"] for value in seen] == [1.0, 0.0, 1.0] else 1)
PY

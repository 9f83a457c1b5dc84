#!/usr/bin/env bash
# scikit-dimension 0.5.0: one row that stands twice makes skdim.id.MLE say 0.
# Expected: one copy among 500 points changes an estimate by a hair, as it does for TwoNN on the same rows.
# Happens: the distance 0 gives the two points a local dimension of 0, and the default way to combine (comb="mle", a
#   harmonic mean) lets those two decide: 0.0 exactly, with nothing but numpy's "divide by zero". comb="mean" barely
#   moves. MiND_ML falls to its lower bound for the same reason.
# Bites: states of a language model hold exact copies as soon as a text or a first token comes twice.
# Seen:
#   scikit-dimension 0.5.0 on 500 points in 5 dimensions, and with the first one twice
#   MLE                 4.903  0.000
#   MLE, comb='mean'    5.196  5.181
#   MiND_ML             4.920  1.000
#   TwoNN               4.442  4.480
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-dimension==0.5.0
"$folder/venv/bin/python" -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
from skdim.id import MLE, MiND_ML, TwoNN

points = np.random.default_rng(0).normal(size=(500, 5))
copied = np.vstack([points, points[:1]])
estimates = {
    "MLE": lambda rows: MLE().fit(rows),
    "MLE, comb='mean'": lambda rows: MLE().fit(rows, comb="mean"),
    "MiND_ML": lambda rows: MiND_ML().fit(rows),
    "TwoNN": lambda rows: TwoNN().fit(rows),
}
print("scikit-dimension", version("scikit-dimension"), "on 500 points in 5 dimensions, and with the first one twice")
seen = {}
for name, fit in estimates.items():
    seen[name] = [float(fit(rows).dimension_) for rows in (points, copied)]
    print(f"{name:18}{seen[name][0]:7.3f}{seen[name][1]:7.3f}")
raise SystemExit(0 if seen["MLE"][0] > 4 and seen["MLE"][1] == 0 and seen["TwoNN"][1] > 4 else 1)
PY

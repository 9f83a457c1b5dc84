#!/usr/bin/env bash
# scikit-dimension 0.5.0: skdim.id.MLE(K=...) does nothing.
# Expected: K is "Number of neighbors per data point that is considered", so that another K gives another estimate
#   (the scale at which one looks is the whole point of Levina and Bickel's estimator).
# Happens: K is read only with neighborhood_based=False, and there the 20 smallest distances of the whole set are kept
#   whatever K was. What counts is an argument of fit(), n_neighbors, whose default is 20.
# Bites: a curve of dimension over K is flat, and looks like a stable estimate.
# Seen:
#   scikit-dimension 0.5.0 on 500 points of a normal distribution in 5 dimensions
#   MLE(K=5, 20, 100)                              [4.903, 4.903, 4.903]
#   MLE(K=5, 20, 100, neighborhood_based=False)    [6.932, 6.932, 6.932]
#   MLE().fit(points, n_neighbors=5, 20, 100)      [5.142, 4.903, 4.355]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-dimension==0.5.0
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from skdim.id import MLE

points = np.random.default_rng(0).normal(size=(500, 5))
counts = (5, 20, 100)
near = [round(float(MLE(K=k).fit(points).dimension_), 3) for k in counts]
pooled = [round(float(MLE(K=k, neighborhood_based=False).fit(points).dimension_), 3) for k in counts]
fitted = [round(float(MLE().fit(points, n_neighbors=k).dimension_), 3) for k in counts]
print("scikit-dimension", version("scikit-dimension"), "on 500 points of a normal distribution in 5 dimensions")
print("MLE(K=5, 20, 100)                             ", near)
print("MLE(K=5, 20, 100, neighborhood_based=False)   ", pooled)
print("MLE().fit(points, n_neighbors=5, 20, 100)     ", fitted)
raise SystemExit(0 if len(set(near)) == len(set(pooled)) == 1 and len(set(fitted)) == 3 else 1)
PY

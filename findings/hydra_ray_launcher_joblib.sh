#!/usr/bin/env bash
# hydra-ray-launcher 1.2.2 cannot stand beside joblib 1.6.0, the one that scikit-learn gets where nothing else is asked for.
# Expected: a launcher for sweeps installs into an environment that can fit a probe.
# Happens: the launcher wants cloudpickle below 3, joblib 1.6.0 wants 3 or later; pip finds no way out. Left to choose,
#   pip takes an older joblib without a word, so an environment with pinned versions breaks and one without goes back.
# Bites: whoever adds Ray sweeps to a lock file of an interpretability project.
# Seen:
#   hydra-ray-launcher 1.2.2 depends on cloudpickle<3
#   joblib 1.6.0 depends on cloudpickle>=3.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
said=$("$folder/venv/bin/pip" install --dry-run hydra-ray-launcher==1.2.2 joblib==1.6.0 2>&1 || true)
grep -E "depends on cloudpickle" <<<"$said" | sed 's/^ *//'
grep -q "hydra-ray-launcher 1.2.2 depends on cloudpickle<3" <<<"$said"
grep -q "joblib 1.6.0 depends on cloudpickle>=3.0" <<<"$said"

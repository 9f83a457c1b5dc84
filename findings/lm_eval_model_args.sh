#!/usr/bin/env bash
# lm-eval 0.4.13: one string of model arguments is read in two ways, by --model_args and by
#   simple_evaluate(model_args=...).
# Expected: the command line and the function that it calls take the same string for the same arguments.
# Happens: the command line keeps commas inside quotes and brackets and refuses a part without "="; simple_evaluate
#   cuts at every comma, keeps half a quote and lets the rest become an argument of its own. Both read the abbreviated
#   hash 12e4567 of a commit as infinity and 0012345 as 12345.
# Bites: a model folder with a comma, or a list (stop sequences) in gen_kwargs, works from the shell and is cut
#   without a word from Python. About one abbreviated hash of seven digits in 18 is such a number.
# Seen:
#   lm-eval 0.4.13
#   pretrained="/runs/a,b",dtype=float32
#       --model_args:    {'pretrained': '/runs/a,b', 'dtype': 'float32'}
#       simple_evaluate: {'pretrained': '"/runs/a', 'b"': '', 'dtype': 'float32'}
#   until=['.','!'],top_p=1
#       --model_args:    {'until': ['.', '!'], 'top_p': 1}
#       simple_evaluate: {'until': "['.'", "'!']": '', 'top_p': 1}
#   revision=12e4567
#       --model_args:    {'revision': inf}
#       simple_evaluate: {'revision': inf}
#   revision=0012345
#       --model_args:    {'revision': 12345}
#       simple_evaluate: {'revision': 12345}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lm-eval==0.4.13
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

from lm_eval._cli.utils import key_val_to_dict
from lm_eval.utils import simple_parse_args_string

print("lm-eval", version("lm-eval"))
seen = []
for text in ('pretrained="/runs/a,b",dtype=float32', "until=['.','!'],top_p=1", "revision=12e4567", "revision=0012345"):
    seen.append((key_val_to_dict(text), simple_parse_args_string(text)))
    print(text)
    print("    --model_args:   ", seen[-1][0])
    print("    simple_evaluate:", seen[-1][1])
shell, function = seen[0]
apart = shell["pretrained"] == "/runs/a,b" and function["pretrained"] == '"/runs/a' and seen[1][0] != seen[1][1]
hashes = [values["revision"] for pair in seen[2:] for values in pair]
raise SystemExit(0 if apart and hashes == [float("inf")] * 2 + [12345] * 2 else 1)
PY

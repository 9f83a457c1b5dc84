#!/usr/bin/env bash
# rank-bm25 0.2.2: BM25Okapi gives 0 for a word that exactly half of the texts hold, and less than 0 for common words.
# Expected: a text that holds the query's word is ahead of one that does not (as with log(1 + ...) in Lucene).
# Happens: the inverse document frequency log((N - n + 0.5) / (n + 0.5)) is exactly 0 at n = N / 2. Below 0 it is put
#   at a quarter of the mean over the vocabulary, which is itself below 0 where most words are common: the texts that
#   match are then ranked last. A word in 3 of 5 texts can count more than one in 2 of 4.
# Bites: BM25 as the baseline on a handful of passages (a reranking set, one topic of a benchmark). Known upstream:
#   dorianbrown/rank_bm25#39, #26.
# Seen:
#   rank-bm25 0.2.2 scores for the query 'cat'
#   in 2 of 4 texts:                                [0.0, 0.0, 0.0, 0.0]
#   in 3 of 5 texts:                                [0.247, 0.247, 0.247, 0.0, 0.0]
#   in 3 of 4 texts, the other words common as well: [-0.183, -0.183, -0.183, 0.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rank-bm25==0.2.2
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

from rank_bm25 import BM25Okapi


def scores(texts):
    return [round(float(score), 3) for score in BM25Okapi([text.split() for text in texts]).get_scores(["cat"])]


half = scores(["the cat slept", "a cat ran", "one dog barked", "two birds sang"])
more = scores(["the cat slept", "a cat ran", "some cat ate", "one dog barked", "two birds sang"])
common = scores(["cat here", "cat here", "cat here", "dog here"])
print("rank-bm25", version("rank-bm25"), "scores for the query 'cat'")
print("in 2 of 4 texts:                               ", half)
print("in 3 of 5 texts:                               ", more)
print("in 3 of 4 texts, the other words common as well:", common)
raise SystemExit(0 if set(half) == {0.0} and min(more[:3]) > 0 and max(common[:3]) < common[3] else 1)
PY

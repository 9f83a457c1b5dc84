#!/usr/bin/env bash
# bm25s 0.3.16: by default a Chinese sentence is one word, and Hindi or Thai words are cut at their vowel signs.
# Expected: words, or a complaint; above all with stopwords="zh", a list that bm25s itself ships for Chinese.
# Happens: tokens are what the pattern \b\w\w+\b finds. No blank stands between Chinese words, so a sentence is one
#   token and no stop word is ever met; vowel signs are not \w, so what is left of a word lies between them. A query
#   that is no whole sentence scores 0 everywhere, and retrieve() still hands k documents back, the last first.
# Bites: "better than BM25" on Chinese, Japanese, Hindi or Thai against a BM25 that found nothing. Terms of one letter
#   (vitamin C, plan B) vanish in English as well.
# Seen:
#   bm25s 0.3.16
#   Chinese, with its stop words: [['我喜欢在海边散步'], ['今天的股票市场下跌'], ['机器学习改变了医学']]
#   Hindi, Thai: [['रत', 'जध'], ['กร', 'งเทพเป', 'นเม', 'องหลวง']]
#   English: [['vitamin', 'deficiency'], ['plan']]
#   the query 股票, which only document 1 holds: documents [2, 1, 0] scores [0.0, 0.0, 0.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet bm25s==0.3.16
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import bm25s


def words(texts, stopwords):
    return bm25s.tokenize(texts, stopwords=stopwords, return_ids=False, show_progress=False)


def scores(texts, query, stopwords):
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, stopwords=stopwords, show_progress=False), show_progress=False)
    asked = bm25s.tokenize([query], stopwords=stopwords, show_progress=False)
    documents, found = index.retrieve(asked, k=len(texts), show_progress=False)
    return documents[0].tolist(), found[0].tolist()


chinese = ["我喜欢在海边散步", "今天的股票市场下跌", "机器学习改变了医学"]
print("bm25s", version("bm25s"))
print("Chinese, with its stop words:", words(chinese, "zh"))
print("Hindi, Thai:", words(["भारत की राजधानी दिल्ली है", "กรุงเทพเป็นเมืองหลวง"], None))
print("English:", words(["vitamin C deficiency", "plan B"], None))
documents, found = scores(chinese, "股票", "zh")
print("the query 股票, which only document 1 holds: documents", documents, "scores", found)
as_written = words(chinese, "zh") == [[text] for text in chinese] and set(found) == {0.0}
raise SystemExit(0 if as_written else 1)
PY

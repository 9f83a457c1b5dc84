"""BM25, the lexical baseline (Robertson & Zaragoza 2009, "The probabilistic relevance framework"), by bm25s.

    score(q, d) = sum over words w of q   idf(w) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))

with tf the count of w in d, k1 = 1.5, b = 0.75, English stop words left out and endings cut off by the Snowball stemmer
(Porter 2001), as search engines do by default: without it this rival is weaker than it need be. In scripts without
blanks two neighbouring characters are a word (`latentmech.data.words`). A document that shares no stem with the query
is not found at all. It needs no training and no model, and on many collections it is hard to beat; it knows nothing of
synonyms.
"""

from collections.abc import Sequence

import numpy as np

from latentmech.data import terms_of
from latentmech.retrieval.ranking import NOTHING, Ranking


def bm25(documents: Sequence[str], queries: Sequence[str], depth: int) -> Ranking:
    """The best `depth` documents of each query."""
    import bm25s

    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(_words(documents), show_progress=False)
    found, scores = index.retrieve(_words(queries), k=min(depth, len(documents)), show_progress=False)
    return Ranking(np.where(scores > 0, found, NOTHING).astype(np.int64), scores.astype(np.float64))


def _words(texts: Sequence[str]) -> list[list[str]]:
    from bm25s.stopwords import STOPWORDS_EN
    from Stemmer import Stemmer

    stems = Stemmer("english").stemWords
    return [stems([word for word in terms_of(text) if word not in STOPWORDS_EN]) for text in texts]

"""BM25, the lexical baseline (Robertson & Zaragoza 2009, "The probabilistic relevance framework"), by bm25s.

    score(q, d) = sum over words w of q   idf(w) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))

with tf the count of w in d, k1 = 1.5, b = 0.75, English stop words left out and endings cut off by the Snowball stemmer
(Porter 2001), as search engines do by default: without it this rival is weaker than it need be. A document that shares
no stem with the query is not found at all. It needs no training and no model, and on many collections it is hard to
beat; it knows nothing of synonyms.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from latentmech.retrieval.ranking import NOTHING, Ranking


def bm25(documents: Sequence[str], queries: Sequence[str], depth: int) -> Ranking:
    """The best `depth` documents of each query."""
    import bm25s
    from Stemmer import Stemmer

    words = partial(bm25s.tokenize, stopwords="en", stemmer=Stemmer("english"), return_ids=False, show_progress=False)
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(words(list(documents)), show_progress=False)
    found, scores = index.retrieve(words(list(queries)), k=min(depth, len(documents)), show_progress=False)
    return Ranking(np.where(scores > 0, found, NOTHING).astype(np.int64), scores.astype(np.float64))

"""Retrieval: which layer finds what answers a query, in vectors that are kept, searched and compared with care."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.retrieval.findings import RetrievalFindings
    from latentmech.retrieval.okapi import bm25
    from latentmech.retrieval.ranking import Ranking, by_cosine, per_query
    from latentmech.retrieval.settings import POOLINGS, SPACES, RetrievalSettings, VectorDatabaseSettings
    from latentmech.retrieval.spaces import CosineSpace, fit
    from latentmech.retrieval.study import RetrievalStudy
    from latentmech.retrieval.vector_database import VectorDatabase
    from latentmech.retrieval.vector_index import VectorIndex
    from latentmech.retrieval.vectors import LevelEncoder, Vectors, by_sentence_encoder

__getattr__, __dir__, __all__ = lazily(__name__)

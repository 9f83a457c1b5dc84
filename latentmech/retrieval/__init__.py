"""Retrieval: which layer finds what answers a query, in vectors that are kept, searched and compared with care."""

from latentmech.retrieval.bm25 import bm25
from latentmech.retrieval.measures import per_query
from latentmech.retrieval.ranking import Ranking, by_cosine
from latentmech.retrieval.spaces import SPACES, Space, fit
from latentmech.retrieval.study import POOLINGS, RetrievalStudy
from latentmech.retrieval.vector_database import VectorDatabase
from latentmech.retrieval.vector_index import VectorIndex
from latentmech.retrieval.vectors import LevelEncoder, Vectors, by_sentence_encoder

__all__ = [
    "POOLINGS",
    "SPACES",
    "LevelEncoder",
    "Ranking",
    "RetrievalStudy",
    "Space",
    "VectorDatabase",
    "VectorIndex",
    "Vectors",
    "bm25",
    "by_cosine",
    "by_sentence_encoder",
    "fit",
    "per_query",
]

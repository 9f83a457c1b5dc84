"""Settings of a retrieval study and of the database of its vectors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from latentmech.data import Library, TextPairs
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Control, Count, Draws, SomeOf, check
from latentmech.model import Layers, SentenceEncoderSettings, Site

POOLINGS = ("last", "mean", "weighted_mean")
SPACES = ("raw", "centred", "whitened")


@dataclass(frozen=True, kw_only=True)
class VectorDatabaseSettings:
    """Where indexes are kept, and how they are searched.

    Attributes:
        uri: a folder, an object store's URI or `db://name`; default `<cache>/indexes`.
        name: of the index; by default made of what fills it.
        exact_below: rows from which on an approximate index is built; its k-means needs some.
        nprobes: cells of an approximate index that are searched; default as many as it found to be enough.
    """

    builds: ClassVar[str] = "latentmech.retrieval.vector_database.VectorDatabase"

    uri: str | None = None
    name: str | None = None
    exact_below: Annotated[int, AtLeast(256)] = 100_000
    nprobes: Annotated[int | None, AtLeast(1)] = None

    def __post_init__(self) -> None:
        check(self, "retrieval.index")
        if self.name is not None and not re.fullmatch(r"[\w.-]+", self.name):
            raise BadInput(f"retrieval.index.name={self.name}; expected letters, digits, _, - and . only")


@dataclass(frozen=True, kw_only=True)
class RetrievalSettings:
    """Documents searched with vectors from every level; the way to make them is chosen on dev and read once on test.

    Attributes:
        data: documents, queries, judgements.
        site: hook point in every block.
        layers: `all`, or block numbers; the embedding is always there.
        poolings: of a text's tokens: `last`, `mean`, `weighted_mean`.
        spaces: coordinates in which cosines are taken: `raw`, `centred`, `whitened`, fitted to the documents alone.
        encoder: a sentence encoder beside it; None leaves it out.
        index: where vectors are kept, and how they are searched.
        pairs: labelled pairs that set the threshold for near-duplicates; None leaves those out.
        cluster_by: a label column of the documents that clusters are compared with, if it is there.
        random_init: search with the same architecture with fresh weights too.
        shuffles: how many shuffles of the judgements among the queries.
        draws: bootstrap resamples of queries, where they are many.
        seed: of the shuffles, the resamples, the clusters and the twin's weights.
    """

    builds: ClassVar[str] = "latentmech.retrieval.study.RetrievalStudy"

    data: Library = field(default_factory=Library)
    site: Site = "resid_post"
    layers: Layers = "all"
    poolings: Annotated[Sequence[str], SomeOf(*POOLINGS)] = POOLINGS
    spaces: Annotated[Sequence[str], SomeOf(*SPACES)] = SPACES
    encoder: Annotated[SentenceEncoderSettings | None, Control("sentence encoder")] = None
    index: VectorDatabaseSettings = field(default_factory=VectorDatabaseSettings)
    pairs: Annotated[TextPairs | None, Control("near-duplicates")] = field(default_factory=TextPairs)
    cluster_by: Annotated[str | None, Control("clusters")] = "topic"
    random_init: Annotated[bool, Control("random-init twin")] = True
    shuffles: Annotated[Count, Control("shuffled judgements")] = 100
    draws: Draws = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "retrieval")

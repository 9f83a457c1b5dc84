"""Settings of a map study."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from latentmech.data import Corpus, Task, task
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Count, Idle, Positive, SomeOf, check
from latentmech.model import Layers, Position, Site

METHODS = ("pca", "tsne", "umap")


def _without(method: str) -> Idle:
    return Idle(lambda own: method not in own.methods, f"{method} is not among the methods")


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """PCA, t-SNE and UMAP of labelled words at a few levels; clusters; outliers.

    Each seed draws its own words and lays them out anew, so the spread over seeds is that of the whole procedure.

    Attributes:
        task: what colours the points, such as `pos`; one that a probe knows.
        column: any label column of the data instead.
        data: the corpus; all its splits are shown.
        site: hook point in every block, such as `resid_post`.
        layers: block numbers or `all`; default those a third and two thirds up, and the last. The embedding is
            always there.
        position: `last`, `first` or `mean` of a word's sub-words (of a text's tokens, if texts are labelled).
        methods: some of `pca`, `tsne`, `umap`.
        dimensions: 2, 3 or both.
        points: how many words a map shows.
        repeats: let a word form stand there more than once.
        standardise: bring every coordinate to variance 1 first.
        neighbours: k of trustworthiness, continuity, recall, label agreement and outliers.
        perplexity: of t-SNE.
        umap_neighbours: of UMAP.
        min_dist: of UMAP: how tightly it packs.
        min_cluster_size: of HDBSCAN.
        cluster_axes: dimensions to which UMAP brings the space before HDBSCAN is asked once more; 0 leaves that out.
        permutations: shuffles of the labels for each null.
        outliers: how many are listed per level.
        seeds: draws of words, each with its own layout.
        seed: the first of them, the one that is shown.
    """

    builds: ClassVar[str] = "latentmech.geometry.map.study.MapStudy"

    task: Annotated[str, Idle(lambda own: own.column is not None, "column is set")] = "pos"
    column: str | None = None
    data: Corpus = field(default_factory=Corpus)
    site: Site = "resid_post"
    layers: Layers | None = None
    position: Position = "last"
    methods: Annotated[Sequence[str], SomeOf(*METHODS)] = METHODS
    dimensions: Sequence[int] = (2, 3)
    points: int = 1000
    repeats: bool = False
    standardise: bool = True
    neighbours: Positive = 10
    perplexity: Annotated[float, AtLeast(1), _without("tsne")] = 30.0
    umap_neighbours: Annotated[int, AtLeast(2), _without("umap")] = 15
    min_dist: Annotated[float, _without("umap")] = 0.1
    min_cluster_size: Annotated[int, AtLeast(2)] = 10
    cluster_axes: Count = 5
    permutations: Annotated[int, AtLeast(20)] = 100
    outliers: Count = 5
    seeds: Positive = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        self.asked()
        if not self.dimensions or not set(self.dimensions) <= {2, 3}:
            raise BadInput(f"geometry.dimensions={list(self.dimensions)}; expected [2], [3] or [2,3]")

    def asked(self) -> Task:
        """What colours the points."""
        return task(self.column or self.task, self.column)

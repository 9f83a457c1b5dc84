"""`MapStudy`: pictures of the space at a few levels, with what each can be believed and what chance would draw."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Task, task
from latentmech.errors import BadInput
from latentmech.geometry.map.findings import LevelFindings, MapFindings
from latentmech.geometry.map.levels import level_findings
from latentmech.geometry.map.points import Points, points_of
from latentmech.geometry.map.presentation import present
from latentmech.geometry.scaling import standardised
from latentmech.model import POSITIONS, Model, levels_of
from latentmech.report import Report

METHODS = ("pca", "tsne", "umap")


@dataclass(frozen=True, kw_only=True)
class MapStudy:
    """PCA, t-SNE and UMAP of labelled words at a few levels; clusters; outliers.

    Each seed draws its own words and lays them out anew, so the spread over seeds is that of the whole procedure.

    Attributes:
        task: what colours the points: `pos`, `proper_noun`, `number`, `tense` or `entity`.
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

    task: str = "pos"
    column: str | None = None
    data: Corpus = field(default_factory=Corpus)
    site: str = "resid_post"
    layers: Sequence[int] | str | None = None
    position: str = "last"
    methods: Sequence[str] = METHODS
    dimensions: Sequence[int] = (2, 3)
    points: int = 1000
    repeats: bool = False
    standardise: bool = True
    neighbours: int = 10
    perplexity: float = 30.0
    umap_neighbours: int = 15
    min_dist: float = 0.1
    min_cluster_size: int = 10
    cluster_axes: int = 5
    permutations: int = 100
    outliers: int = 5
    seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        levels_of(1, self.site, "all")
        self.asked()
        for name, value, choices in (("position", [self.position], POSITIONS), ("methods", self.methods, METHODS)):
            if isinstance(value, str) or not value or not set(value) <= set(choices):
                raise BadInput(f"geometry.{name}={value} is unknown; expected one of {', '.join(choices)}")
        if not self.dimensions or not set(self.dimensions) <= {2, 3}:
            raise BadInput(f"geometry.dimensions={list(self.dimensions)}; expected [2], [3] or [2,3]")
        least = {"neighbours": 1, "perplexity": 1, "umap_neighbours": 2, "min_cluster_size": 2, "permutations": 20}
        for name, low in (least | {"outliers": 0, "seeds": 1, "cluster_axes": 0}).items():
            if getattr(self, name) < low:
                raise BadInput(f"geometry.{name}={getattr(self, name)} is too small; expected at least {low}")

    def asked(self) -> Task:
        """What colours the points."""
        return task(self.column or self.task, self.column)

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Draw, project, measure, report."""
        examples = self.data()
        levels = levels_of(model.n_layers, self.site, self._layers(model.n_layers))
        points = points_of(model, examples, self.asked(), self.position)
        draws = [points.draw(self.points, self.repeats, seed) for seed in self.every_seed]
        self._check_size(draws[0], examples.source)
        position = f"{'word' if points.per_word else 'text'}_{self.position}"
        activations = store.get(model, examples, levels, position)
        found: list[LevelFindings] = []
        for level in levels:
            rows = activations.level(level.hook_name)
            spaces = [self._space(rows[torch.from_numpy(draw.rows)].numpy()) for draw in draws]
            found.append(level_findings(self, level, spaces, draws, found[-1] if found else None))
        shuffled = np.random.default_rng(self.seed).permutation(draws[0].labels)
        return present(self, MapFindings(draws=draws, levels=found, shuffled=shuffled), model, examples)

    @property
    def every_seed(self) -> range:
        """Of all draws."""
        return range(self.seed, self.seed + self.seeds)

    def _layers(self, n_layers: int) -> Sequence[int] | str:
        """The blocks that are asked for, or a third and two thirds up and the last."""
        if self.layers is not None:
            return self.layers
        return [max(round(n_layers * part / 3) - 1, 0) for part in (1, 2, 3)]

    def _check_size(self, draw: Points, source: str) -> None:
        """Every method needs more points than it looks at neighbours."""
        needed = {"neighbours": 2 * self.neighbours + 1}
        needed |= {"perplexity": int(3 * self.perplexity) + 1} if "tsne" in self.methods else {}
        needed |= {"umap_neighbours": self.umap_neighbours + 1} if "umap" in self.methods else {}
        name = max(needed, key=lambda key: needed[key])
        if len(draw) <= needed[name]:
            seen = f"{source} gives {len(draw)} points, too few for geometry.{name}={getattr(self, name)}"
            raise BadInput(f"{seen}; expected more than {needed[name]}: lower it, or take more data")

    def _space(self, rows: np.ndarray) -> np.ndarray:
        return standardised(rows.astype(np.float64)) if self.standardise else rows.astype(np.float64)

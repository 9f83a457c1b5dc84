"""`MapStudy`: pictures of the space at a few levels, with what each can be believed and what chance would draw."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from latentmech.activations import ActivationStore
from latentmech.errors import BadInput
from latentmech.geometry.map.account import account_of
from latentmech.geometry.map.findings import LevelFindings, MapFindings
from latentmech.geometry.map.levels import Projections, level_findings
from latentmech.geometry.map.points import draw_of, points_of
from latentmech.geometry.map.projection import Projection, pca, tsne, umap
from latentmech.geometry.map.settings import MapSettings
from latentmech.geometry.rows import standardised
from latentmech.model import Model, levels_of, within
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class MapStudy(MapSettings):
    """PCA, t-SNE and UMAP of labelled words at a few levels; clusters; outliers."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Draw, project, measure, report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> MapFindings:
        """Everything that the report is made of."""
        examples = within(model, self.data())
        thirds = [max(round(model.n_layers * part / 3) - 1, 0) for part in (1, 2, 3)]
        levels = levels_of(model.n_layers, self.site, thirds if self.layers is None else self.layers)
        points = points_of(model, examples, self.asked(), self.position)
        seeds = range(self.seed, self.seed + self.seeds)
        draws = [draw_of(points, self.points, self.repeats, self.permutations, seed) for seed in seeds]
        self._check_size(len(draws[0].points), examples.source)
        position = f"{'word' if points.per_word else 'text'}_{self.position}"
        activations = store.get(model, examples, levels, position)
        found: list[LevelFindings] = []
        for level in levels:
            rows = activations.level(level.hook_name)
            spaces = [rows[torch.from_numpy(draw.points.rows)].numpy().astype(np.float64) for draw in draws]
            spaces = [standardised(space) for space in spaces] if self.standardise else spaces
            before = found[-1] if found else None
            found.append(level_findings(self, self._projections(), level, spaces, draws, before))
        return MapFindings(settings=self, examples=examples, task=self.asked().name, draws=draws, levels=found)

    def _projections(self) -> Projections:
        kinds: dict[str, Projection] = {
            "pca": pca,
            "tsne": partial(tsne, perplexity=self.perplexity),
            "umap": partial(umap, n_neighbors=self.umap_neighbours, min_dist=self.min_dist),
        }
        return {f"{name}_{n}d": (kinds[name], n) for name in self.methods for n in self.dimensions}

    def _check_size(self, n: int, source: str) -> None:
        """Every method needs more points than it looks at neighbours."""
        needed = {"neighbours": 2 * self.neighbours + 1}
        needed |= {"perplexity": int(3 * self.perplexity) + 1} if "tsne" in self.methods else {}
        needed |= {"umap_neighbours": self.umap_neighbours + 1} if "umap" in self.methods else {}
        name = max(needed, key=lambda key: needed[key])
        if n <= needed[name]:
            seen = f"{source} gives {n} points, too few for geometry.{name}={getattr(self, name)}"
            raise BadInput(f"{seen}; expected more than {needed[name]}: lower it, or take more data")

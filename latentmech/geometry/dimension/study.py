"""`DimensionStudy`: draws words, estimates at every level, and beside it for every control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from latentmech.activations import ActivationStore
from latentmech.data import Examples, join, units_of
from latentmech.errors import BadInput
from latentmech.geometry.dimension.account import account_of
from latentmech.geometry.dimension.estimates import distances, distinct, estimates
from latentmech.geometry.dimension.findings import DimensionFindings
from latentmech.geometry.dimension.settings import DimensionSettings
from latentmech.geometry.rows import coordinates_shuffled, drawn, first_of_each, forms_of, off_the_first
from latentmech.model import Level, Model, levels_of, within
from latentmech.report import Report
from latentmech.statistics import Estimate, over_seeds

Scores = Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class DimensionStudy(DimensionSettings):
    """How many dimensions the words of a corpus fill at each level, by three definitions."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Collect, draw, estimate, report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> DimensionFindings:
        """Everything that the report is made of."""
        examples = within(model, self.data())
        levels = levels_of(model.n_layers, self.site, self.layers)
        found = self._measured(model, store, examples, levels)
        if self.shuffle_words:
            mixed = words_shuffled(examples, self.seed)
            found["words_shuffled"] = self._measured(model, store, mixed, levels)["model"]
        if self.random_init:
            twin = model.changed(random_init=True, seed=self.seed)
            found["random_init"] = self._measured(twin, store, examples, levels)["model"]
        ascending = replace(self, shares=sorted(self.shares), scales=sorted(self.scales))
        return DimensionFindings(examples=examples, levels=levels, by_who=found, settings=ascending)

    def _measured(
        self, model: Model, store: ActivationStore, examples: Examples, levels: Sequence[Level]
    ) -> dict[str, list[Scores]]:
        """Estimates level by level, of the rows and of the same rows with their coordinates shuffled."""
        position = f"{'text' if examples.spans is None else 'word'}_{self.position}"
        draws = self._draws(model, examples, position)
        activations = store.get(model, examples, levels, position)
        found: dict[str, list[Scores]] = {"model": [], "coordinates_shuffled": []}
        for level in levels:
            rows = activations.level(level.hook_name).numpy()
            pairs = [self._of_draw(rows[places], seed) for seed, places in draws.items()]
            for name, scores in zip(found, zip(*pairs, strict=True), strict=True):
                found[name].append({of: over_seeds(score[of] for score in scores) for of in scores[0]})
        return found

    def _draws(self, model: Model, examples: Examples, position: str) -> dict[int, np.ndarray]:
        """The rows that each seed draws, from those behind the first position."""
        eligible = np.flatnonzero(off_the_first(model, examples, position))
        forms = forms_of(examples)[eligible]
        n = len(forms if self.repeats else first_of_each(forms))
        if n <= 2 * max(self.scales):
            seen = f"{examples.source} has {n} words or texts behind the first position"
            raise BadInput(f"{seen}; expected more than {2 * max(self.scales)}: raise geometry.data.limit")
        seeds = range(self.seed, self.seed + self.seeds)
        return {seed: eligible[drawn(forms, self.points, self.repeats, seed)] for seed in seeds}

    def _of_draw(self, rows: Float[np.ndarray, "row d_model"], seed: int) -> tuple[dict, dict]:
        own, distance = distinct(rows)
        count = {"n": float(len(own)), "duplicates": float(len(rows) - len(own))}
        null = coordinates_shuffled(own, seed)
        found = estimates(own, distance, self.scales, self.shares, seed)
        return count | found, estimates(null, distances(null), self.scales, self.shares, seed)


def words_shuffled(examples: Examples, seed: int) -> Examples:
    """Every text with its words in random order, a blank between them: what is left when texts say nothing any more.

    Labels, which no longer fit, are dropped.
    """
    rng = np.random.default_rng(seed)
    words = [np.array(examples.words(i) or units_of(text), dtype=object) for i, text in enumerate(examples.texts)]
    joined = [join(own[rng.permutation(len(own))].tolist(), [True] * len(own)) for own in words]
    spans = None if examples.spans is None else tuple(tuple(own) for _, own in joined)
    texts = tuple(text for text, _ in joined)
    return replace(examples, texts=texts, spans=spans, columns={}, word_columns=frozenset())

"""`DimensionStudy`: how many dimensions the words of a corpus fill at each level, by three definitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Examples
from latentmech.errors import BadInput
from latentmech.geometry.dimension.distinct_rows import distances, distinct
from latentmech.geometry.dimension.estimates import estimates
from latentmech.geometry.dimension.presentation import present
from latentmech.geometry.dimension.word_order import words_shuffled
from latentmech.geometry.first_position import off_the_first
from latentmech.geometry.scaling import coordinates_shuffled
from latentmech.geometry.spread import over_seeds
from latentmech.geometry.word_forms import first_of_each, forms_of
from latentmech.model import POSITIONS, Level, Model, levels_of
from latentmech.report import Report
from latentmech.statistics import Estimate

Scores = Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class DimensionStudy:
    """Participation ratio, TwoNN and MLE at every level, with the rows that tell what they are worth.

    Attributes:
        data: the corpus; its words are read, or its texts if words are not annotated. Labels are not needed.
        site: hook point in every block, such as `resid_post`.
        layers: `all`, or block numbers; the embedding is always there.
        position: `last`, `first` or `mean` of a word's sub-words.
        points: how many words each seed draws, at most.
        repeats: let a word form be drawn more than once.
        shares: parts of them to estimate from, for the dependence on sample size; 1 is always among them.
        scales: numbers of neighbours k for the MLE.
        random_init: measure the same architecture with fresh weights too.
        shuffle_words: measure the same texts with their words in random order too.
        seeds: draws of words.
        seed: the first of them; also of the twin's weights and the shuffles.
    """

    data: Corpus = field(default_factory=Corpus)
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    position: str = "last"
    points: int = 2000
    repeats: bool = False
    shares: Sequence[float] = (0.125, 0.25, 0.5, 1.0)
    scales: Sequence[int] = (5, 10, 20)
    random_init: bool = True
    shuffle_words: bool = True
    seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        levels_of(1, self.site, "all")
        if self.position not in POSITIONS:
            raise BadInput(f"geometry.position={self.position} is unknown; expected one of {', '.join(POSITIONS)}")
        if self.seeds < 1:
            raise BadInput(f"geometry.seeds={self.seeds} is too small; expected at least 1")
        if not self.scales or min(self.scales) < 2:
            raise BadInput(f"geometry.scales={list(self.scales)}; expected numbers of neighbours from 2 up")
        if not all(0 < share <= 1 for share in self.shares) or 1 not in self.shares:
            raise BadInput(f"geometry.shares={list(self.shares)}; expected parts above 0 up to 1, with 1 among them")
        if self.points <= 2 * max(self.scales):
            least = 2 * max(self.scales) + 1
            raise BadInput(f"geometry.points={self.points} is too small for these scales; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Collect, draw, estimate, report."""
        examples = self.data()
        levels = levels_of(model.n_layers, self.site, self.layers)
        found = self._measured(model, store, examples, levels)
        if self.shuffle_words:
            mixed = words_shuffled(examples, self.seed)
            found["words_shuffled"] = self._measured(model, store, mixed, levels)["model"]
        if self.random_init:
            twin = replace(model, random_init=True, seed=self.seed)
            found["random_init"] = self._measured(twin, store, examples, levels)["model"]
        return present(self, found, levels, model, examples)

    def _measured(
        self, model: Model, store: ActivationStore, examples: Examples, levels: Sequence[Level]
    ) -> dict[str, list[Scores]]:
        """Estimates level by level, of the rows and of the same rows with their coordinates shuffled."""
        position = f"{'text' if examples.spans is None else 'word'}_{self.position}"
        drawn = self._drawn(model, examples, position)
        activations = store.get(model, examples, levels, position)
        found: dict[str, list[Scores]] = {"model": [], "coordinates_shuffled": []}
        for level in levels:
            rows = activations.level(level.hook_name)
            pairs = [self._of_draw(rows, *one) for one in drawn.items()]
            for name, scores in zip(found, zip(*pairs, strict=True), strict=True):
                found[name].append(over_seeds(scores))
        return found

    def _drawn(self, model: Model, examples: Examples, position: str) -> dict[int, np.ndarray]:
        """The rows that each seed draws, from those behind the first position."""
        eligible, forms = np.flatnonzero(off_the_first(model, examples, position)), forms_of(examples)
        n = len(eligible if self.repeats else first_of_each(forms[eligible]))
        if n <= 2 * max(self.scales):
            seen = f"{examples.source} has {n} words or texts behind the first position"
            raise BadInput(f"{seen}; expected more than {2 * max(self.scales)}: raise geometry.data.limit")
        return {seed: self._draw(eligible, forms, seed) for seed in range(self.seed, self.seed + self.seeds)}

    def _draw(self, eligible: np.ndarray, forms: np.ndarray, seed: int) -> np.ndarray:
        order = np.random.default_rng(seed).permutation(eligible)
        return (order if self.repeats else order[first_of_each(forms[order])])[: self.points]

    def _of_draw(
        self, rows: Float[Tensor, "row d_model"], seed: int, drawn: np.ndarray
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Estimates of the words that this seed draws, and of their coordinates shuffled."""
        own, distance = distinct(rows[torch.from_numpy(drawn)].numpy())
        count = {"n": float(len(own)), "duplicates": float(len(drawn) - len(own))}
        null = coordinates_shuffled(own, seed)
        found = estimates(own, distance, self.scales, self.shares, seed)
        return count | found, estimates(null, distances(null), self.scales, self.shares, seed)

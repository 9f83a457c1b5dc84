"""Two models at one level, by every measure, with what shuffled rows and random subspaces give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.geometry.compare import cka, mutual_neighbours, procrustes, subspace
from latentmech.geometry.compare.halves import around, around_if_unbiased, half_samples
from latentmech.statistics import Estimate, estimate, mean_of, over_seeds

MEASURES = ("cka", "knn", "procrustes", "subspace")


@dataclass(frozen=True)
class Similarity:
    """Numbers of one level; each is 1 for equal states.

    Attributes:
        own: by measure. `subspace` is left out where widths differ.
        chance: means over seeds of the same with the rows of one model shuffled (`subspace`: with random subspaces),
            the smallest and the largest beside.
    """

    own: Mapping[str, Estimate]
    chance: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """How two sets of states of the same words are compared.

    Attributes:
        clusters: the document of each row.
        k: neighbours of each row.
        components: principal components that span a subspace.
        shuffles: how many chance draws.
        halves: how many half-samples of documents for the intervals of CKA, Procrustes and subspaces.
        draws: bootstrap resamples of documents for that of mutual neighbours, a mean over words.
    """

    clusters: Int[np.ndarray, " row"]
    k: int
    components: int
    shuffles: int
    halves: int
    draws: int
    seed: int

    def __call__(self, a: Float[Tensor, "row width_a"], b: Float[Tensor, "row width_b"]) -> Similarity:
        """Every measure, and its chance."""
        return Similarity(self._own(a, b), self._chance(a, b))

    def _own(self, a: Tensor, b: Tensor) -> dict[str, Estimate]:
        near = mutual_neighbours.shared(*(mutual_neighbours.neighbours(rows, self.k) for rows in (a, b)))
        parts, size = half_samples(self.clusters, self.halves, self.seed), (len(a), int(self.clusters.max()) + 1)
        gram_a, gram_b = cka.gram(a), cka.gram(b)
        turned = [procrustes.similarity(a[rows], b[rows]) for rows in parts]
        halved = [cka.debiased_cka(gram_a[rows][:, rows], gram_b[rows][:, rows]) for rows in parts]
        found = {
            "cka": around(cka.debiased_cka(gram_a, gram_b), halved, *size),
            "knn": estimate(mean_of(near.double().numpy(), self.clusters, 0, 1), self.draws, self.seed),
            "procrustes": around_if_unbiased(procrustes.similarity(a, b), turned, *size),
        }
        if a.shape[1] == b.shape[1]:
            shared = [self._overlap(a[rows], b[rows]) for rows in parts]
            found["subspace"] = around_if_unbiased(self._overlap(a, b), shared, *size)
        return found

    def _overlap(self, a: Tensor, b: Tensor) -> float:
        return subspace.overlap(*(subspace.principal(rows, self._components(rows)) for rows in (a, b)))

    def _chance(self, a: Tensor, b: Tensor) -> dict[str, Estimate]:
        gram_a, gram_b = cka.gram(a), cka.gram(b)
        near_a, near_b = mutual_neighbours.neighbours(a, self.k), mutual_neighbours.neighbours(b, self.k)
        axes = subspace.principal(a, self._components(a))
        found: dict[str, list[float]] = {name: [] for name in MEASURES}
        for seed in range(self.seed, self.seed + self.shuffles):
            order = torch.randperm(len(b), generator=torch.Generator().manual_seed(seed))
            found["cka"].append(cka.debiased_cka(gram_a, gram_b[order][:, order]))
            found["knn"].append(float(mutual_neighbours.shared(near_a, near_b[order][:, order]).mean()))
            found["procrustes"].append(procrustes.similarity(a, b[order]))
            found["subspace"].append(subspace.overlap(axes, subspace.random_subspace(len(axes), axes.shape[1], seed)))
        return {name: over_seeds(values) for name, values in found.items() if values}

    def _components(self, rows: Tensor) -> int:
        """No more than there are dimensions to choose from: a subspace that is everything tells nothing."""
        return min(self.components, rows.shape[1] // 2)

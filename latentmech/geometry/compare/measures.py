"""Two models at one level, by every measure, with what shuffled rows and random subspaces give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.geometry.compare import cka, mutual_neighbours, procrustes, subspace
from latentmech.statistics import Estimate, bootstrap_mean

MEASURES = {"cka": "CKA", "knn": "mutual kNN", "procrustes": "Procrustes", "subspace": "subspace"}


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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two sets of states of the same words are compared.

    Attributes:
        clusters: the document of each row.
        k: neighbours of each row.
        components: principal components that span a subspace.
        shuffles: how many chance draws.
        halves: how many half-samples of documents for the interval of CKA.
        draws: bootstrap resamples of documents for that of mutual neighbours.
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
        found = {
            "cka": cka.with_interval(cka.gram(a), cka.gram(b), self.clusters, self.halves, self.seed),
            "knn": bootstrap_mean(near.double().numpy(), self.clusters, self.draws, self.seed),
            "procrustes": Estimate(procrustes.similarity(a, b), n=len(a)),
        }
        if a.shape[1] == b.shape[1]:
            axes = (subspace.principal(rows, self._components(rows)) for rows in (a, b))
            found["subspace"] = Estimate(subspace.overlap(*axes), n=len(a))
        return found

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
        return {n: Estimate(float(np.mean(v)), min(v), max(v), len(v)) for n, v in found.items() if v}

    def _components(self, rows: Tensor) -> int:
        """No more than there are dimensions to choose from: a subspace that is everything tells nothing."""
        return min(self.components, rows.shape[1] // 2)

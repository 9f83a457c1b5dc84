"""Two models at one level, by every measure: with an interval, and what shuffled rows and random subspaces give.

Intervals are from half-samples: measure halves of the documents, and see how much they differ from the whole.

    error² = mean over halves h of (m_h - m)²,   interval m ± 1.96 error

The delete-d jackknife with d = n / 2, whose factor is 1 (Shao & Wu 1989). A bootstrap would put copies of a row beside
it, which every measure here would take for two words that are alike. Of few documents a half is so small that the error
comes out too large rather than too small: planted CKA was covered in 93 to 98 % of samples of 2 to 60 documents.

It is right for a measure that does not depend on how many rows there are, as debiased CKA does not. Others do: of fewer
rows Procrustes says more, for there is more room to turn them, and the overlap of subspaces less, for each is less well
known. Then halves differ from the whole for their size and not by chance. So where the mean of the halves is further
from the whole than one half is from another (the bias exceeds the spread), no interval is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.geometry.compare import formulas
from latentmech.geometry.compare.settings import CompareSettings
from latentmech.statistics import INTERVAL, Estimate, estimate, mean_of, over_seeds

ROUNDING = 1e-9


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


def half_samples(clusters: Int[np.ndarray, " row"], halves: int, seed: int) -> list[Int[Tensor, " kept"]]:
    """Rows of random halves of the clusters; none of a single cluster."""
    rng, n = np.random.default_rng(seed), int(clusters.max()) + 1
    if n < 2:
        return []
    kept = [np.isin(clusters, rng.permutation(n)[: n // 2]).nonzero()[0] for _ in range(halves)]
    return [torch.from_numpy(rows) for rows in kept]


def around(value: float, parts: Sequence[float], n: int, groups: int) -> Estimate:
    """The value with an interval from the same measure of halves; without one if a half has none. 1 is the most."""
    if not parts or not np.isfinite(parts).all():
        return Estimate(value, n=n, groups=groups)
    error = 1.96 * float(np.sqrt(np.mean((np.array(parts) - value) ** 2)))
    return Estimate(value, value - error, min(value + error, 1.0), n, groups, INTERVAL)


def around_if_unbiased(value: float, parts: Sequence[float], n: int, groups: int) -> Estimate:
    """The same, but without an interval where halves differ from the whole for their size."""
    biased = bool(parts) and abs(np.mean(parts) - value) > np.std(parts) + ROUNDING
    return around(value, () if biased else parts, n, groups)


def similarity(
    a: Float[Tensor, "row width_a"],
    b: Float[Tensor, "row width_b"],
    clusters: Int[np.ndarray, " row"],
    settings: CompareSettings,
    bare: bool = False,
) -> Similarity:
    """Every measure of two sets of states of the same words, and its chance.

    Args:
        bare: no half-samples, so that only mutual neighbours, a mean over words, have an interval; and no chance.
    """
    parts = [] if bare else half_samples(clusters, settings.halves, settings.seed)
    return Similarity(_own(a, b, clusters, parts, settings), {} if bare else _chance(a, b, settings))


def _own(
    a: Tensor, b: Tensor, clusters: Int[np.ndarray, " row"], parts: Sequence[Tensor], settings: CompareSettings
) -> dict[str, Estimate]:
    near = formulas.shared(*(formulas.neighbours(rows, settings.k) for rows in (a, b))).double().numpy()
    gram_a, gram_b, size = formulas.gram(a), formulas.gram(b), (len(a), int(clusters.max()) + 1)
    turned = [formulas.procrustes(a[rows], b[rows]) for rows in parts]
    halved = [formulas.debiased_cka(gram_a[rows][:, rows], gram_b[rows][:, rows]) for rows in parts]
    found = {
        "cka": around(formulas.debiased_cka(gram_a, gram_b), halved, *size),
        "knn": estimate(mean_of(near, clusters, 0, 1), settings.draws, settings.seed),
        "procrustes": around_if_unbiased(formulas.procrustes(a, b), turned, *size),
    }
    if a.shape[1] == b.shape[1]:
        every = [(a, b), *((a[rows], b[rows]) for rows in parts)]
        sets = [[_axes(side, settings) for side in both] for both in every]
        whole, *shares = (formulas.overlap(*both) for both in sets)
        found["subspace"] = around_if_unbiased(whole, shares, *size)
    return found


def _chance(a: Tensor, b: Tensor, settings: CompareSettings) -> dict[str, Estimate]:
    gram_a, gram_b, axes = formulas.gram(a), formulas.gram(b), _axes(a, settings)
    near_a, near_b = formulas.neighbours(a, settings.k), formulas.neighbours(b, settings.k)
    found = []
    for seed in range(settings.seed, settings.seed + settings.shuffles):
        order = torch.randperm(len(b), generator=torch.Generator().manual_seed(seed))
        found.append({
            "cka": formulas.debiased_cka(gram_a, gram_b[order][:, order]),
            "knn": float(formulas.shared(near_a, near_b[order][:, order]).mean()),
            "procrustes": formulas.procrustes(a, b[order]),
            "subspace": formulas.overlap(axes, formulas.random_subspace(axes.shape[0], axes.shape[1], seed)),
        })  # fmt: skip
    return {name: over_seeds(one[name] for one in found) for name in found[0]}


def _axes(rows: Tensor, settings: CompareSettings) -> Tensor:
    """No more of them than half of the dimensions: a subspace that is everything tells nothing."""
    return formulas.principal(rows, min(settings.components, rows.shape[1] // 2))

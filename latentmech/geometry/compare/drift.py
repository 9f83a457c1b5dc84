"""What becomes of a direction: found again in the other model, and used in it as it was found in the first.

    cosine     between the differences of class means of one contrast in both models
    frozen     test AUROC of the first model's direction on the other model's states
    refitted   test AUROC of the direction that is found in the other model

A frozen direction that reads as well as a refitted one has not moved in any way that matters for reading. A low cosine
alone does not say that it has: where many directions separate the classes, each sample finds another of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Contrast
from latentmech.direction import Direction, random_directions, unit
from latentmech.direction.candidates import Parts
from latentmech.direction.difference_of_means import difference_of_means
from latentmech.direction.positions import placed, rendered
from latentmech.model import Level, Model
from latentmech.statistics import Estimate, auroc, aurocs, bootstrap, folded

FEWEST = 8  # groups of test texts below which there is no interval


@dataclass(frozen=True)
class Drift:
    """One level of two models.

    Attributes:
        source: test AUROC in the first model of its own direction.
        loss: refitted minus frozen, with an interval over the groups of the test texts.
        random_p95: 95th percentile of the test AUROC of random directions in the other model, whichever sign.
    """

    cosine: float
    source: float
    frozen: float
    refitted: float
    loss: Estimate
    random_p95: float


@dataclass(frozen=True)
class Classes:
    """A contrast as one model reads it.

    Attributes:
        rows: a row per text at every level.
        found: the difference of class means of train there, with its length; zero where there is none.
    """

    parts: Parts
    rows: Mapping[str, Float[Tensor, "row d_model"]]
    found: Mapping[str, Float[Tensor, " d_model"]]

    @classmethod
    def of(cls, parts: Parts, rows: Mapping[str, Float[Tensor, "row d_model"]]) -> "Classes":
        """With the direction found at every level."""
        train = parts.within("train")
        return cls(parts, rows, {name: _found(parts, own, train) for name, own in rows.items()})

    def with_saved(self, direction: Direction) -> "Classes":
        """With a direction that was found elsewhere, at the hook points that its file knows."""
        known = {name: direction.norms[name] * direction.vectors[name] for name in direction.vectors}
        return replace(self, found={name: vector for name, vector in known.items() if name in self.rows})


def classes_in(
    model: Model, store: ActivationStore, contrast: Contrast, levels: tuple[Level, ...], chat_template: bool
) -> Classes:
    """States at the last token of every text of the contrast."""
    texts = rendered(model, contrast.joint, chat_template, None)
    examples, _ = placed(model, contrast.joint, texts, ("last",))
    activations = store.get(model, examples, levels, "word_mean")
    return Classes.of(Parts.of(contrast), {n: activations.level(n) for n in activations.hook_names})


def drift(a: Classes, at: Level, b: Classes, other: Level, draws: int, seed: int) -> Drift:
    """The direction of level `at` of the first model, in level `other` of the second."""
    parts, test = a.parts, a.parts.within("test")
    rows_a, rows_b = a.rows[at.hook_name], b.rows[other.hook_name]
    own, again = unit(a.found[at.hook_name]), unit(b.found[other.hook_name])
    truth, clusters = parts.truth("test"), np.unique(parts.group[test], return_inverse=True)[1]
    source, frozen, refitted = (_scores(rows[test], d) for rows, d in ((rows_a, own), (rows_b, own), (rows_b, again)))
    random = random_directions(200, len(own), seed)
    chance = folded(aurocs((rows_b[test] @ random.T).double().numpy(), truth))
    return Drift(
        cosine=float(own @ again) if own.any() and again.any() else float("nan"),
        source=auroc(source, truth),
        frozen=auroc(frozen, truth),
        refitted=auroc(refitted, truth),
        loss=_loss(refitted, frozen, truth, clusters, draws, seed),
        random_p95=float(np.percentile(chance, 95)),
    )


def _found(
    parts: Parts, rows: Float[Tensor, "row d_model"], train: Int[np.ndarray, " train"]
) -> Float[Tensor, " d_model"]:
    """Zero where the states do not differ but by rounding, as those of one token at the embedding."""
    vector = difference_of_means(parts.sample(rows, train)).float()
    return vector if vector.norm() > 1e-6 * rows[train].norm(dim=1).mean() else torch.zeros_like(vector)


def _loss(
    refitted: Float[np.ndarray, " row"],
    frozen: Float[np.ndarray, " row"],
    truth: Bool[np.ndarray, " row"],
    clusters: Int[np.ndarray, " row"],
    draws: int,
    seed: int,
) -> Estimate:
    """What freezing costs in AUROC; no interval over fewer groups than a bootstrap can do anything with."""
    if int(clusters.max()) + 1 < FEWEST:
        return Estimate(auroc(refitted, truth) - auroc(frozen, truth), n=len(truth))
    return bootstrap(lambda w: auroc(refitted, truth, w) - auroc(frozen, truth, w), clusters, draws, seed)


def _scores(rows: Float[Tensor, "row d_model"], direction: Float[Tensor, " d_model"]) -> Float[np.ndarray, " row"]:
    return (rows @ direction).double().numpy()

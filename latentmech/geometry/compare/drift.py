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
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Contrast
from latentmech.direction import (
    Direction,
    Parts,
    covariance_directions,
    isotropic_directions,
    method_of,
    placed,
    rendered,
    unit,
)
from latentmech.model import Level, Model
from latentmech.statistics import Estimate, auroc_of, aurocs, clusters_of, difference, estimate, folded

NULLS = 200  # random directions of each kind


@dataclass(frozen=True)
class DirectionDrift:
    """One level of two models.

    Attributes:
        source: test AUROC in the first model of its own direction.
        loss: refitted minus frozen, paired.
        random_p95: 95th percentile of the test AUROC in the other model of directions drawn from the covariance of its
            training states, whichever sign.
        isotropic_p95: the same of directions drawn evenly from the sphere, an easier null.
    """

    cosine: float
    source: Estimate
    frozen: Estimate
    refitted: Estimate
    loss: Estimate
    random_p95: float
    isotropic_p95: float


@dataclass(frozen=True, eq=False)
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
        return cls(parts, rows, {name: _found(parts, own) for name, own in rows.items()})

    def train(self, at: Level) -> Float[Tensor, "train d_model"]:
        """The rows of the training texts at one level."""
        return self.rows[at.hook_name][self.parts.within("train")]

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


def drift(a: Classes, at: Level, b: Classes, other: Level, draws: int, seed: int) -> DirectionDrift:
    """The direction of level `at` of the first model, in level `other` of the second."""
    parts, test = a.parts, a.parts.within("test")
    rows_a, rows_b = a.rows[at.hook_name], b.rows[other.hook_name]
    own, again = unit(a.found[at.hook_name]), unit(b.found[other.hook_name])
    truth, clusters = parts.truth("test"), clusters_of(parts.group[test])
    pairs = ((rows_a, own), (rows_b, own), (rows_b, again))
    tallies = [auroc_of((rows[test] @ vector).double().numpy(), truth, clusters) for rows, vector in pairs]
    nulls = (covariance_directions(b.train(other), NULLS, seed), isotropic_directions(NULLS, len(own), seed))
    chance = [folded(aurocs((rows_b[test] @ null.T).double().numpy(), truth)) for null in nulls]
    source, frozen, refitted = (estimate(tally, draws, seed) for tally in tallies)
    return DirectionDrift(
        cosine=float(own @ again) if own.any() and again.any() else float("nan"),
        source=source, frozen=frozen, refitted=refitted, loss=difference(tallies[2], tallies[1], draws, seed),
        random_p95=float(np.percentile(chance[0], 95)), isotropic_p95=float(np.percentile(chance[1], 95)),
    )  # fmt: skip


def _found(parts: Parts, rows: Float[Tensor, "row d_model"]) -> Float[Tensor, " d_model"]:
    """Zero where the states do not differ but by rounding, as those of one token at the embedding."""
    train = parts.within("train")
    vector = method_of("difference_of_means")(parts.sample(rows, train)).float()
    return vector if vector.norm() > 1e-6 * rows[train].norm(dim=1).mean() else torch.zeros_like(vector)

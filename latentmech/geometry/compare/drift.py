"""What becomes of a direction or of a linear probe: found again in the other model, and used in it as it was found.

    source     test score in the first model of what was found there
    frozen     test score of the same, untouched, on the other model's states
    refitted   test score of what is found in the other model

The score of a direction, the difference of class means of a contrast, is AUROC; beside it stands the cosine between
the two. A frozen direction that reads as well as a refitted one has not moved in any way that matters for reading. A
low cosine alone does not say that it has: where many directions separate the classes, each sample finds another.

The score of a probe is accuracy. A refitted one asks whether the label can still be read, a frozen one whether it still
lies where it lay: a turn of the whole space would leave the first as it is and ruin the second. Probes are ridge
regressions onto the labels (a closed form, see `latentmech.probe.methods`), the strength chosen on dev documents; test
documents are read once. What it does not show: that the model uses what the probe reads. A frozen probe also fails
where states only grew or moved, for its scale and bias are frozen with it; and a label that follows from the word alone
is read at any level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Contrast, Examples, task, to_score
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
from latentmech.probe import METHODS, Fitting, LinearProbe, Problem, problem_of
from latentmech.statistics import Estimate, Tally, auroc_of, aurocs, clusters_of, difference, estimate, folded, mean_of

NULLS = 200  # random directions of each kind


@dataclass(frozen=True)
class DirectionDrift:
    """One level of two models.

    Attributes:
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


@dataclass(frozen=True)
class ProbeDrift:
    """One level of two models; `majority` is the accuracy of always saying the most frequent label of train."""

    source: Estimate
    frozen: Estimate
    refitted: Estimate
    loss: Estimate
    majority: float


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
    return DirectionDrift(
        cosine=float(own @ again) if own.any() and again.any() else float("nan"), **_scores(tallies, draws, seed),
        random_p95=float(np.percentile(chance[0], 95)), isotropic_p95=float(np.percentile(chance[1], 95)),
    )  # fmt: skip


def _scores(tallies: Sequence[Tally], draws: int, seed: int) -> dict[str, Estimate]:
    """Of what is read in the first model, frozen, and refitted; and what is lost, paired."""
    found = {n: estimate(own, draws, seed) for n, own in zip(("source", "frozen", "refitted"), tallies, strict=True)}
    return found | {"loss": difference(tallies[2], tallies[1], draws, seed)}


def _found(parts: Parts, rows: Float[Tensor, "row d_model"]) -> Float[Tensor, " d_model"]:
    """Zero where the states do not differ but by rounding, as those of one token at the embedding."""
    train = parts.within("train")
    vector = method_of("difference_of_means")(parts.sample(rows, train)).float()
    return vector if vector.norm() > 1e-6 * rows[train].norm(dim=1).mean() else torch.zeros_like(vector)


def problem(examples: Examples, label: str, seed: int) -> Problem:
    """The task of telling the words' labels, over all words of the texts."""
    asked = task(label)
    return problem_of(to_score(examples, asked, "drop"), examples, seed)


def fitted(problem: Problem, activations: Activations, levels: Sequence[Level], title: str) -> dict[Level, LinearProbe]:
    """A probe for every level of one model."""
    fits = Fitting(method=METHODS["ridge"], problem=problem)(activations, levels, title)
    return {fit.level: fit.probe for fit in fits}


def right(problem: Problem, activations: Activations, at: Level, probe: LinearProbe) -> Bool[np.ndarray, " test"]:
    """Which test words a probe gets right on a level's states, wherever it was trained; in double precision."""
    rows = activations.level(at.hook_name)[problem.activation_rows("test")].double()
    logits = rows @ probe.weight.double().T + probe.bias.double()
    return logits.argmax(1).numpy() == problem.of("test", problem.labels)


def probed(problem: Problem, answers: Sequence[Bool[np.ndarray, " test"]], draws: int, seed: int) -> ProbeDrift:
    """What comes of the words that are right in the first model, frozen and refitted."""
    clusters, most = problem.clusters("test"), np.bincount(problem.of("train", problem.labels)).argmax()
    tallies = [mean_of(own.astype(float), clusters, 0, 1) for own in answers]
    majority = float((problem.of("test", problem.labels) == most).mean())
    return ProbeDrift(**_scores(tallies, draws, seed), majority=majority)

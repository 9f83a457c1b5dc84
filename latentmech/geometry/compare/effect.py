"""How much of a direction's effect is left when another model is steered with it.

    effect(v) = mean over prompts of [log-odds with v added to every token's state - log-odds without], in nats
    kept      = effect(frozen) / effect(refitted)

Frozen is the first model's difference of class means with its own length, refitted the second model's own at the
matching level; both are added in the second model (activation addition, Turner et al. 2023). A direction that still
reads the classes need not still move the model: reading asks where the states lie, this asks what is made of them.

A share of next to nothing is noise, so it is given only where the refitted effect is clear: its interval over prompts
has to lie beyond the largest effect, either way, of random vectors of its length. Elsewhere it is NaN.

A model whose states are larger has a longer vector, which does more for that alone: a frozen vector can keep several
times the effect. So it is also added at the refitted one's length, and what it keeps then it owes to where it points.

What it does not show: that the frozen vector does the same as the refitted one beyond this score, or at another dose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from latentmech.direction import unit
from latentmech.geometry.compare.drift import FEWEST
from latentmech.model import Model
from latentmech.statistics import Estimate, bootstrap, bootstrap_mean
from latentmech.steering import Addition, Trials
from latentmech.steering.generation import Variant, next_logits

Changes = Float[np.ndarray, "vector prompt"]


@dataclass(frozen=True)
class Effect:
    """One level of two models.

    Attributes:
        source: effect in the first model of its own direction.
        frozen: effect of that in the second.
        turned: effect there of the same at the refitted one's length, so that only where it points is frozen.
        refitted: effect there of its own.
        random_max: largest effect there, either way, of random vectors as long as the refitted one.
        kept: frozen over refitted; NaN where the refitted effect is not clear.
        kept_turned: the same at one length.
        length: the frozen vector's length over the refitted one's.
    """

    source: Estimate
    frozen: Estimate
    turned: Estimate
    refitted: Estimate
    random_max: float
    kept: Estimate
    kept_turned: Estimate
    length: float


def changes(
    model: Model, trials: Trials, added: Sequence[tuple[str, Float[Tensor, "vector d_model"]]]
) -> list[Changes]:
    """Change of every prompt's log-odds in nats when each of the vectors is added at its hook point."""

    def read(logits: Float[Tensor, "prompt vocab"], places: Sequence[int]) -> Float[Tensor, " prompt"]:
        return trials.at(places).log_odds(logits)

    def scores(variants: Sequence[Variant]) -> Changes:
        return next_logits(model, variants, trials.texts, read, progress=bar.update).double().numpy()

    rows = (1 + sum(len(some) for _, some in added)) * len(trials)
    with tqdm(total=rows, unit="row", desc=f"{model.name}: steering", mininterval=1) as bar:
        clean = scores([{}])
        return [scores([{name: Addition(vector)} for vector in some]) - clean for name, some in added]


def beside_random(
    frozen: Float[Tensor, " d_model"], refitted: Float[Tensor, " d_model"], random: Float[Tensor, "draw d_model"]
) -> Float[Tensor, "vector d_model"]:
    """What is added in the second model: frozen, refitted; and at the latter's length the former, and random ones."""
    return torch.cat([frozen[None], refitted[None], torch.stack([unit(frozen), *random]) * refitted.norm()])


def effect(
    source: Float[np.ndarray, " prompt"], other: Changes, length: float, groups: Sequence[str], draws: int, seed: int
) -> Effect:
    """What one level's changes come to.

    Args:
        source: in the first model, of its own direction alone.
        other: in the second, of the vectors of `beside_random`.
        groups: of the prompts, which are resampled by them.
    """
    clusters = np.unique(np.array(groups, dtype=object), return_inverse=True)[1]
    frozen, refitted, turned = other[:3]
    own = _mean(refitted, clusters, draws, seed)
    random_max = float(np.abs(other[3:].mean(1)).max())
    shares = [Estimate(float("nan"))] * 2
    if is_clear(own, random_max):
        shares = [_kept(each, refitted, clusters, draws, seed) for each in (frozen, turned)]
    return Effect(
        source=_mean(source, clusters, draws, seed),
        frozen=_mean(frozen, clusters, draws, seed),
        turned=_mean(turned, clusters, draws, seed),
        refitted=own,
        random_max=random_max,
        kept=shares[0],
        kept_turned=shares[1],
        length=length,
    )


def is_clear(effect: Estimate, random_max: float) -> bool:
    """Whether the whole interval lies beyond what random vectors do, on one side; never without an interval."""
    return effect.ci_low > random_max or effect.ci_high < -random_max


def _mean(
    values: Float[np.ndarray, " prompt"], clusters: Int[np.ndarray, " prompt"], draws: int, seed: int
) -> Estimate:
    """Mean over prompts; no interval over fewer groups than a bootstrap can do anything with."""
    if int(clusters.max()) + 1 < FEWEST:
        return Estimate(float(values.mean()), n=len(values))
    return bootstrap_mean(values, clusters, draws, seed)


def _kept(
    frozen: Float[np.ndarray, " prompt"],
    refitted: Float[np.ndarray, " prompt"],
    clusters: Int[np.ndarray, " prompt"],
    draws: int,
    seed: int,
) -> Estimate:
    """The ratio of the means; both come from the same prompts in every resample."""
    return bootstrap(lambda w: float((w @ frozen) / (w @ refitted)), clusters, draws, seed)

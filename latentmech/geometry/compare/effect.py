"""How much of a direction's effect is left when another model is steered with it.

    effect(v) = mean over prompts of [log-odds with v added to every token's state - log-odds without], in nats
    kept      = effect(frozen) / effect(refitted)

Frozen is the first model's difference of class means with its own length, refitted the second model's own at the
matching level; both are added in the second model (activation addition, Turner et al. 2023). A direction that still
reads the classes need not still move the model: reading asks where the states lie, this asks what is made of them.

A share of next to nothing is noise, so it is given only where the refitted effect is clear: on the same prompts it has
to be larger than that of every random vector of its length, each by a paired interval above 0, with effects turned so
that each counts as positive. Half of these are drawn from the covariance of the second model's states; the other half
evenly from the sphere, where vectors do less. Elsewhere the share is NaN.

Where several blocks were tried, the one to quote is chosen by the refitted effect on other prompts (`dev`): the largest
on the prompts that give the number would be the largest partly by luck.

A model whose states are larger has a longer vector, which does more for that alone: a frozen vector can keep several
times the effect. So it is also added at the refitted one's length, and what it keeps then it owes to where it points.

What it does not show: that the frozen vector does the same as the refitted one beyond this score, or at another dose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from latentmech.direction import unit
from latentmech.model import Model
from latentmech.statistics import Estimate, beats, clusters_of, estimate, leads, mean_of, ratio_of
from latentmech.steering import Addition, Trials, Variant, next_logits

Changes = Float[np.ndarray, "vector prompt"]


@dataclass(frozen=True)
class DirectionEffect:
    """One level of two models.

    Attributes:
        source: effect in the first model of its own direction.
        turned: effect of the frozen one at the refitted one's length.
        dev: the refitted effect on other prompts.
        random_max: largest effect, either way, of the vectors that are drawn from the covariance of the states.
        isotropic_max: the same of those drawn evenly from the sphere.
        clear: whether the refitted effect is larger than that of every one of these.
        kept: frozen over refitted; NaN where the refitted effect is not clear. `kept_turned` is at one length.
        length: the frozen vector's length over the refitted one's.
    """

    source: Estimate
    frozen: Estimate
    refitted: Estimate
    turned: Estimate
    dev: float
    random_max: float
    isotropic_max: float
    clear: bool
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
    """What is added in the second model: frozen, refitted; and at the latter's length the former, and random ones.

    Args:
        random: unit vectors, as many drawn from the covariance as, after them, from the sphere.
    """
    return torch.cat([frozen[None], refitted[None], torch.stack([unit(frozen), *random]) * refitted.norm()])


def effect(
    source: Float[np.ndarray, " prompt"],
    other: Changes,
    dev: Float[np.ndarray, " dev"],
    length: float,
    groups: Sequence[str],
    draws: int,
    seed: int,
) -> DirectionEffect:
    """What one level's changes come to.

    Args:
        source: in the first model, of its own direction alone.
        other: in the second, of the vectors of `beside_random`.
        dev: there, of the refitted one on other prompts.
        groups: of the prompts, which are resampled by them.
    """
    clusters = clusters_of(groups)
    largest = [float(np.abs(random.mean(1)).max()) for random in np.split(other[3:], 2)]
    tallies = [mean_of(np.sign(each.mean()) * each, clusters) for each in other]
    rivals = {f"random vector {i}": tally for i, tally in enumerate(tallies[3:])}
    clear = beats(leads(tallies[1], rivals, draws, seed))
    means = [estimate(mean_of(each, clusters), draws, seed) for each in (source, *other[:3])]
    kept = [ratio_of(other[i], other[1], clusters) for i in (0, 2)]
    shares = [estimate(tally, draws, seed) if clear else Estimate(float("nan")) for tally in kept]
    return DirectionEffect(
        source=means[0], frozen=means[1], refitted=means[2], turned=means[3], dev=float(dev.mean()),
        random_max=largest[0], isotropic_max=largest[1], clear=clear, kept=shares[0], kept_turned=shares[1],
        length=length,
    )  # fmt: skip

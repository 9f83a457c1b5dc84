"""From the states of two mentions to the features of a pair.

    concatenation  [a; b]     what either mention says (Tenney et al. 2019, "What do you learn from context?")
    product        a * b      where the two agree, dimension by dimension
    difference     |a - b|    where they differ (Conneau et al. 2017, "Supervised learning of universal sentence
                              representations", use the last two together)

`a` and `b` are standardised by the mentions of the training pairs first: products of raw states are ruled by the few
dimensions whose mean is far from zero. A linear probe on a concatenation adds up what each mention says by itself, so
agreement between the two is out of its reach; the other two see nothing but agreement.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.tensors import divisor

Mentions = Float[Tensor, "pair 2 d_model"]


def paired(mentions: Mentions, pairing: str, known: Float[Tensor, "known 2 d_model"]) -> Float[Tensor, "pair feature"]:
    """Features of every pair.

    Args:
        mentions: states of the two mentions of each pair.
        pairing: `product`, `difference` or `concatenation`.
        known: states of the mentions of the training pairs, by which all are standardised.
    """
    states = known.flatten(0, 1).double()
    mean = states.mean(0)
    scale = divisor(states.std(0, correction=0), mean)
    first, second = ((mentions.double() - mean) / scale).float().unbind(1)
    if pairing == "concatenation":
        return torch.cat([first, second], dim=1)
    return first * second if pairing == "product" else (first - second).abs()

"""Analogy by vector arithmetic: a is to b as c is to what? Scores of every candidate v, from similarities alone.

All vectors have length 1, so that a product is a cosine:

3CosAdd      cos(v, b) - cos(v, a) + cos(v, c), which ranks as cos(v, b - a + c) does (Mikolov et al. 2013, "Linguistic
             regularities in continuous space word representations")
3CosMul      s(v, b) s(v, c) / (s(v, a) + e) with s = (1 + cos) / 2 and e = 1e-6 (Levy & Goldberg 2014, "Linguistic
             regularities in sparse and explicit word representations", eq. 5)
mean offset  cos(v, c + mean of (b - a) over the relation's other pairs) (Drozd et al. 2016, "3CosAvg"). The pair that
             is asked is never in the mean.

and what they have to beat (Linzen 2016, "Issues in evaluating semantic spaces using word analogies"):

no offset    cos(v, c): the answer is simply the nearest word to c
only b       cos(v, b); beside the mean offset, the mean over the other pairs' b: an answer of b's kind, whatever c is

That an offset finds the answer does not show that a model computes with it.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Places = Int[Tensor, " question"]
Rule = Callable[[Places, Places, Places], Float[Tensor, "question candidate"]]
EPSILON = 1e-6


def cos_add(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """3CosAdd: scores from the places of a, b and c."""
    return lambda a, b, c: cosine[b] - cosine[a] + cosine[c]


def cos_mul(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """3CosMul, as a sum of logarithms."""
    shifted = (1 + cosine.clamp(-1, 1)) / 2
    times, over = shifted.clamp(min=1e-30).log(), (shifted + EPSILON).log()
    return lambda a, b, c: times[b] + times[c] - over[a]


def no_offset(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """Nearest to c."""
    return lambda a, b, c: cosine[c]  # noqa: ARG005 - a and b are what it does not look at


def only_b(cosine: Float[Tensor, "word candidate"]) -> Rule:
    """Nearest to b."""
    return lambda a, b, c: cosine[b]  # noqa: ARG005


def relation_means(values: Float[Tensor, "pair any"], relation: Int[Tensor, " pair"]) -> Float[Tensor, "relation any"]:
    """The mean over the pairs of each relation."""
    counts = torch.bincount(relation)
    return _sums(values, relation) / counts[:, None]


def others_mean(values: Float[Tensor, "pair any"], relation: Int[Tensor, " pair"]) -> Float[Tensor, "pair any"]:
    """For each pair, the mean over the other pairs of its relation; zero for a pair that is alone."""
    others = (torch.bincount(relation)[relation, None] - 1).clamp(min=1)
    return (_sums(values, relation)[relation] - values) / others


def _sums(values: Float[Tensor, "pair any"], relation: Int[Tensor, " pair"]) -> Float[Tensor, "relation any"]:
    sums = torch.zeros(int(relation.max()) + 1, values.shape[1], dtype=values.dtype)
    return sums.index_add_(0, relation, values)

"""A smaller corpus with the same make-up: whole documents, so that what holds for them still holds."""

from collections import Counter

from latentmech.data.examples import Examples, distinct
from latentmech.data.splits import seeded_order


def limited(examples: Examples, limit: int, seed: int) -> Examples:
    """About `limit` words (texts, if words are not annotated) in whole groups, each split by its share.

    The groups of a smaller limit are also in a larger one. Every split keeps at least one group.
    """
    sizes = examples.sizes()
    if sum(sizes) <= limit:
        return examples
    kept = {(split, group) for split in distinct(examples.splits) for group in _sample(examples, split, limit, seed)}
    return examples.where(lambda i: (examples.splits[i], examples.groups[i]) in kept)


def _sample(examples: Examples, split: str, limit: int, seed: int) -> list[str]:
    """Groups of one split in seeded order, as many as come nearest to its part of the limit."""
    sizes = examples.sizes()
    weight: Counter[str] = Counter()
    for own, group, size in zip(examples.splits, examples.groups, sizes, strict=True):
        if own == split:
            weight[group] += size
    order = seeded_order(weight, seed)
    room = limit * weight.total() / sum(sizes)
    taken = 0
    while taken < len(order) and room > weight[order[taken]] / 2:
        room -= weight[order[taken]]
        taken += 1
    return order[: max(taken, 1)]

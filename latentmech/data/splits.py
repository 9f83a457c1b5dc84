"""Train, dev and test that share no document and no text.

Words of one document resemble each other, and a sentence that stands in train and in test is answered from
memory. So what moves is a *cluster*: groups (documents) joined wherever they share a text. Clusters go in a
seeded order to the split that they leave least full, measured in words; large ones first, while there is room
to even them out.
The order comes from hashes of the group names: it depends neither on the order of the rows nor on a library. A smaller
corpus is made of whole groups too, so that what holds for them still holds.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from latentmech.data.examples import Examples, distinct
from latentmech.errors import BadInput

NAMES = ("train", "dev", "test")


def split_by_group(examples: Examples, shares: Sequence[float], seed: int) -> Examples:
    """The same examples with `splits` filled: `shares` of the words go to train, dev and test."""
    check_shares(shares)
    assigned = assign(examples, dict(zip(NAMES, shares, strict=True)), seed)
    return replace(examples, splits=assigned, own_splits=False)


def with_splits(examples: Examples, needed: Sequence[str], shares: Sequence[float], seed: int) -> Examples:
    """The splits that came with the data, or else splits made here.

    Raises:
        BadInput: not all that are needed came with the data.
    """
    present = set(examples.splits)
    if not examples.own_splits:
        return split_by_group(examples, shares, seed)
    if not present >= set(needed):
        wanted = f"{', '.join(needed[:-1])} and {needed[-1]}"
        seen = f"{examples.source}: only the split {', '.join(sorted(present))}"
        raise BadInput(f"{seen}; expected {wanted}: add the rest, or give one file without splits")
    return examples


def check_shares(shares: Sequence[float]) -> None:
    """Three positive numbers that add up to one, or BadInput."""
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        seen = f"split={list(shares)}"
        raise BadInput(f"{seen}; expected three positive shares that add up to 1, as in split=[0.6,0.2,0.2]")


def assign(examples: Examples, shares: dict[str, float], seed: int) -> tuple[str, ...]:
    """Per text the name of its part; the parts get `shares` of the words and none stays empty."""
    cluster_of = tied_groups(examples.texts, examples.groups)
    sizes = dict.fromkeys(cluster_of, 0)
    for cluster, size in zip(cluster_of, examples.sizes(), strict=True):
        sizes[cluster] += size
    if len(sizes) < len(shares):
        seen = f"{len(sizes)} groups without common texts in {examples.source}"
        remedy = "add documents, or name a finer `group`"
        raise BadInput(f"{seen}; expected at least {len(shares)}, one for each of {', '.join(shares)}: {remedy}")
    part_of = _fill(sizes, {name: share * sum(sizes.values()) for name, share in shares.items()}, seed)
    return tuple(part_of[cluster] for cluster in cluster_of)


def normalised(text: str) -> str:
    """The text with its white space evened out: texts that are equal so are the same text."""
    return " ".join(text.split())


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """The names in an order that depends on the seed and each name only."""
    return sorted(names, key=lambda name: (blake2b(f"{seed}:{name}".encode(), digest_size=8).digest(), name))


def tied_groups(texts: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Per text the first name among all groups that are tied to its own through common texts."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, group = np.unique(np.array(groups, dtype=object), return_inverse=True)
    _, text = np.unique(np.array([normalised(text) for text in texts], dtype=object), return_inverse=True)
    size = len(names) + int(text.max(initial=-1)) + 1
    holds = coo_array((np.ones(len(text)), (group, len(names) + text)), shape=(size, size))
    part = connected_components(holds, directed=False)[1]
    first: dict[int, str] = {}
    for name, number in zip(names, part, strict=False):  # names are sorted
        first.setdefault(number, name)
    return [first[part[place]] for place in group]


def _fill(sizes: dict[str, int], targets: dict[str, float], seed: int) -> dict[str, str]:
    """Each cluster's part: the one that it leaves least full; the last ones are for parts still empty."""
    filled = dict.fromkeys(targets, 0)
    part_of: dict[str, str] = {}
    large = min(targets.values()) / 2
    for cluster in sorted(seeded_order(sizes, seed), key=lambda cluster: sizes[cluster] <= large):  # large ones first
        empty = [name for name in targets if not filled[name]]
        open_parts = empty if len(empty) == len(sizes) - len(part_of) else list(targets)
        best = min(open_parts, key=lambda name: (filled[name] + sizes[cluster]) / targets[name])
        filled[best] += sizes[cluster]
        part_of[cluster] = best
    return part_of


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

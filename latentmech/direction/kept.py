"""What a direction study reads: the rows of all texts; or rows of dev and test, and moments of train.

Differences of means, LDA, LEACE and the axes of pair differences need class means and a scatter matrix of the training
texts, and so do directions drawn as these vary. Whatever is fitted again on other training texts (groups left out,
labels exchanged, halves) needs their rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from latentmech.activations import Activations, ActivationStore, Held, Sums, all_of
from latentmech.data import Examples
from latentmech.direction.sample import Parts, Places
from latentmech.model import Level, Model

SAID = (
    "Training texts were summed up and their rows not kept (activations.keep=moments): no group was left out, and "
    "nothing is said of a direction from matched texts; null directions were read on dev and test."
)


@dataclass(frozen=True, eq=False)
class KeptTexts:
    """Rows of all texts; or of those at `places`, and sums of the training texts."""

    activations: Activations
    places: Places | None = None
    sums: Sums | None = None


def kept_by(
    store: ActivationStore, model: Model, examples: Examples, levels: Sequence[Level], parts: Parts, n: int
) -> KeptTexts:
    """Collect what the store is set to keep of texts with `n` positions each."""
    if store.keep == "rows":
        return KeptTexts(store.get(model, examples, levels, "word_mean"))
    train, places = parts.within("train"), np.flatnonzero(parts.split != "train")
    own, labels = parts.among(train), np.repeat(parts.positive[train].astype(np.int64), n)[None]
    pairs = own.partners if len(own.partners) else None
    source = Held(examples.select(train.tolist()), labels, (2,), True, store.shard_rows, n, pairs)
    others = examples.select(places.tolist())
    if store.shard is not None:
        both = (partial(store.moments, model, source), partial(store.of_rows.get, model, others))
        all_of(*(partial(one, levels, "word_mean") for one in both))
    sums = store.moments(model, source, levels, "word_mean")
    rows = store.of_rows.get(model, others, levels, "word_mean")
    return KeptTexts(rows, places, sums)

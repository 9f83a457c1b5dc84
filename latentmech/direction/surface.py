"""What the words give away before any model, for two kinds of text; and texts that are alike but for the kind."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from latentmech.data import PROMPT, Examples, ending, surface_scores

Labels = Bool[np.ndarray, " text"]


def visible(examples: Examples) -> Sequence[str]:
    """What can be seen of each text: prompt and answer, where it is an answer."""
    if PROMPT not in examples.columns:
        return examples.texts
    return [f"{prompt}\n{text}" for prompt, text in zip(examples.columns[PROMPT], examples.texts, strict=True)]


def surface_of(train: Sequence[str], labels: Labels, texts: Sequence[str]) -> dict[str, Float[np.ndarray, " new_text"]]:
    """How much more each surface reader takes new texts for positive than for negative, in nats.

    Rounded, so that scores that are equal but for the order of a sum are ties.
    """
    scores = surface_scores(train, labels.astype(np.int64), 2, texts)
    return {name: np.round(values[:, 1] - values[:, 0], 9) for name, values in scores.items()}


def matched(texts: Sequence[str], labels: Labels, seed: int) -> Int[np.ndarray, " kept"]:
    """Indices of as many positive as negative texts of each length in words and last character, drawn at random."""
    strata: dict[tuple[int, str], dict[bool, list[int]]] = defaultdict(lambda: {True: [], False: []})
    for i in np.random.default_rng(seed).permutation(len(texts)).tolist():
        strata[len(texts[i].split()), ending(texts[i])][bool(labels[i])].append(i)
    kept = [
        i for kinds in strata.values() for places in kinds.values() for i in places[: min(map(len, kinds.values()))]
    ]
    return np.array(sorted(kept), dtype=np.int64)

"""Probe studies on made states: texts and labels are given, no model runs."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Corpus, Examples
from latentmech.probe import ProbeStudy

SPLITS = np.repeat(["train", "dev", "test"], (16, 12, 12))  # of 40 groups
EACH = 6  # texts of a group
GROUPS = np.repeat(np.arange(len(SPLITS)), EACH)
QUICK = {"draws": 100, "method": "ridge", "code_length": False, "unseen_classes": "drop"}


@dataclass(frozen=True)
class Made(Activations):
    """Activations in memory."""

    rows: dict = field(default_factory=dict)

    def level(self, hook_name):
        return self.rows[hook_name]


@dataclass(frozen=True)
class Texts(Corpus):
    """A corpus that is there already."""

    examples: Examples | None = None

    def __call__(self):
        return self.examples


class Store(ActivationStore):
    """Gives out the states that `make(twin, level)` makes; level 0 is the embedding."""

    def __init__(self, make):
        object.__setattr__(self, "make", make)

    def get(self, model, examples, levels, position):
        made = [torch.from_numpy(np.asarray(self.make(model.random_init, i))).float() for i in range(len(levels))]
        rows = {level.hook_name: states for level, states in zip(levels, made, strict=True)}
        return Made(tuple(rows), *made[0].shape, (), rows)


def texts_study(texts, labels, groups=GROUPS, splits=SPLITS, **settings):
    """A study of whole texts; `splits` by group."""
    columns = {"label": tuple(str(label) for label in labels)}
    return _study(texts, columns, groups, splits, settings, spans=None, word_columns=frozenset())


def words_study(sentences, labels, groups=GROUPS, splits=SPLITS, **settings):
    """A study of the words of sentences."""
    texts = [" ".join(words) for words in sentences]
    spans = [np.cumsum([0, *(len(word) + 1 for word in words)]) for words in sentences]
    ends = tuple(tuple((int(a), int(b) - 1) for a, b in pairwise(at)) for at in spans)
    columns = {"label": tuple(tuple(str(label) for label in row) for row in labels)}
    return _study(texts, columns, groups, splits, settings, spans=ends, word_columns=frozenset(["label"]))


def _study(texts, columns, groups, splits, settings, **words):
    examples = Examples(
        ids=tuple(str(i) for i in range(len(texts))),
        texts=tuple(texts),
        groups=tuple(str(group) for group in groups),
        splits=tuple(str(splits[group]) for group in groups),
        columns=columns,
        own_splits=True,
        source="made",
        **words,
    )
    return ProbeStudy(column="label", task="made", data=Texts(examples=examples), **QUICK | settings)


def noise(n, d=16, seed=0, groups=GROUPS, alike=1.0):
    """States that know which group a row belongs to, and nothing else: other ones at every level and in the twin."""

    def make(twin, level):
        rng = np.random.default_rng([seed, twin, level])
        return alike * rng.normal(size=(max(groups) + 1, d))[groups] + rng.normal(size=(n, d))

    return make


def knowing(what, scale=3.0, **kwargs):
    """States of which the model's blocks (neither the embedding nor the twin) also hold numbers, one column each."""
    columns = np.atleast_2d(np.asarray(what, dtype=float).T).T
    base = noise(len(columns), **kwargs)

    def make(twin, level):
        states = base(twin, level)
        if level and not twin:
            states[:, : columns.shape[1]] += scale * (columns - columns.mean(0)) / columns.std(0)
        return states

    return make

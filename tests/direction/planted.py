"""A direction study on states that are made up: what is planted is known, and no model is run."""

import csv
import zlib
from dataclasses import dataclass
from unittest.mock import patch

import torch

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Pairs
from latentmech.direction import DirectionStudy

WIDTH = 24
QUICK = {"random_draws": 39, "shuffles": 39, "halvings": 5, "chat_template": False, "draws": 100}


@dataclass(frozen=True)
class MadeLevels(Activations):
    """The same rows, longer and longer, at every block; noise at the embedding."""

    rows: torch.Tensor

    def level(self, hook_name):
        if hook_name.endswith("resid_pre"):
            return torch.randn(self.rows.shape, generator=torch.Generator().manual_seed(0))
        return self.rows * (1 + int(hook_name.split(".")[1]))


@dataclass(frozen=True, kw_only=True)
class MadeStore(ActivationStore):
    """Gives every text the state that `state` makes of it."""

    state: object

    def get(self, model, examples, levels, position):
        names = tuple(level.hook_name for level in levels)
        rows = torch.stack([self.state(text) for text in examples.texts])
        return MadeLevels(names, len(rows), WIDTH, (), rows)


def noise_of(text, seed=0):
    """Noise that depends on the text alone."""
    return torch.randn(WIDTH, generator=torch.Generator().manual_seed(zlib.crc32(f"{seed}{text}".encode())))


def along(axis, size):
    return size * torch.eye(WIDTH)[axis]


def written(path, rows):
    """Rows of `text,label,group` and, where it is given, `split`."""
    names = ("text", "label", "group", "split")[: len(rows[0])]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def paired(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("positive", "negative", "group", "split")[: len(rows[0])], *rows])
    return path


def study_of(path, **settings):
    return DirectionStudy(data=Pairs(path=path), **(QUICK | settings))


def found_in(path, state, model, **settings):
    """The report of a study of the file's texts, whose states are made by `state`."""
    with no_neutral_text():
        return study_of(path, **settings)(model, MadeStore(state=state))


def findings_in(path, state, model, **settings):
    """What the report is made of."""
    with no_neutral_text():
        return study_of(path, **settings).find(model, MadeStore(state=state))


def no_neutral_text():
    """The treebank is not read for the length of its words."""
    return patch("latentmech.direction.study.median_norms", lambda m, s, levels: {lv.hook_name: 1.0 for lv in levels})


def says(report):
    """Headline and notes in one."""
    return "\n".join([report.headline, *report.notes])

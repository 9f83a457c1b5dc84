"""Two models side by side: the same words, level by level, and every level against every other."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Contrast, Examples
from latentmech.geometry.compare import cka
from latentmech.geometry.compare.common_words import Words
from latentmech.geometry.compare.drift import Classes, Drift, classes_in, drift
from latentmech.geometry.compare.measures import Comparison, Similarity
from latentmech.model import Level, Model, levels_of


@dataclass(frozen=True)
class Side:
    """One model's states of the words, and of the contrast's texts if there is one."""

    model: Model
    levels: tuple[Level, ...]
    activations: Activations
    words: Words
    classes: Classes | None

    def states(self, level: Level) -> Float[Tensor, "row d_model"]:
        """The states of the words at one level."""
        return self.activations.level(level.hook_name)[torch.from_numpy(self.words.rows)]


@dataclass(frozen=True)
class AtLevel:
    """A level of the first model and its counterpart."""

    level: Level
    other: Level
    alike: Similarity
    drift: Drift | None


@dataclass(frozen=True)
class Against:
    """The first model against one other.

    Attributes:
        cka: every level of the first (row) against every level of the other (column).
        same: both have the same weights.
    """

    name: str
    levels: tuple[AtLevel, ...]
    other_levels: tuple[Level, ...]
    cka: Float[Tensor, "level other"]
    same: bool

    def mean(self, measure: str) -> float:
        """Mean of a measure over the levels that have it; NaN if none has."""
        values = [at.alike.own[measure].value for at in self.levels if measure in at.alike.own]
        return float(np.mean(values)) if values else float("nan")


def side_of(
    model: Model,
    store: ActivationStore,
    examples: Examples,
    words: Words,
    contrast: Contrast | None,
    chat_template: bool,
) -> Side:
    """What one model makes of the texts. Its weights are given up again, for several may not fit into memory."""
    levels, loaded = levels_of(model.n_layers), replace(model)
    activations = store.get(loaded, examples, levels, "word_last")
    classes = None if contrast is None else classes_in(loaded, store, contrast, levels, chat_template)
    return Side(model, levels, activations, words, classes)


def against(
    a: Side, b: Side, comparison: Comparison, draws: int, seed: int, progress: Callable[[int], object]
) -> Against:
    """Everything that is measured between two models.

    Models of other depth are matched by the share of their blocks that lies below.
    """
    found = []
    for i, level in enumerate(a.levels):
        other = b.levels[round(i * (len(b.levels) - 1) / (len(a.levels) - 1))]
        moved = None
        if a.classes is not None and b.classes is not None and a.model.d_model == b.model.d_model:
            moved = drift(a.classes, level, b.classes, other, draws, seed)
        found.append(AtLevel(level, other, comparison(a.states(level), b.states(other)), moved))
        progress(1)
    same = a.model.fingerprint == b.model.fingerprint
    return Against(b.model.name, tuple(found), b.levels, _every_pair(a, b), same)


def _every_pair(a: Side, b: Side) -> Float[Tensor, "level other"]:
    """Debiased CKA of all pairs of levels, in single precision."""
    ours = torch.stack([_direction(a.states(level)) for level in a.levels])
    return torch.stack([ours @ _direction(b.states(level)) for level in b.levels], dim=1)


def _direction(rows: Float[Tensor, "row d_model"]) -> Float[Tensor, " entry"]:
    """The U-centred Gram matrix as a unit vector: CKA is the cosine of two of these."""
    kernel = cka.u_centred(cka.gram(rows))
    return (kernel / kernel.norm().clamp(min=torch.finfo(kernel.dtype).tiny)).float().flatten()

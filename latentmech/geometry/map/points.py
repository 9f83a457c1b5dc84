"""The labelled words (or texts) that a map can show, the draw of those that it does show, and their labels shuffled."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from latentmech.data import Examples, Task, flat
from latentmech.geometry.rows import drawn, in_context, off_the_first
from latentmech.model import Model
from latentmech.probe import problem_of

CONTEXT = 45  # characters shown on either side of a word


@dataclass(frozen=True)
class Points:
    """Labelled units as parallel arrays.

    Attributes:
        rows: each unit's row in the activations.
        forms: the word, or the whole text.
        texts: the word in brackets within its context, for a reader.
        groups: a number per document.
    """

    rows: Int[np.ndarray, " point"]
    labels: Int[np.ndarray, " point"]
    classes: tuple[str, ...]
    forms: np.ndarray
    texts: np.ndarray
    groups: Int[np.ndarray, " point"]
    per_word: bool

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, points: np.ndarray) -> "Points":
        """Those that a mask or an index array picks."""
        picked = {name: getattr(self, name)[points] for name in ("rows", "labels", "forms", "texts", "groups")}
        return replace(self, **picked)


@dataclass(frozen=True)
class MapDraw:
    """The points of one seed, with their labels and, in the rows below, the same labels shuffled."""

    seed: int
    points: Points
    labellings: Int[np.ndarray, "labelling point"]


def draw_of(points: Points, n: int, repeats: bool, shuffles: int, seed: int) -> MapDraw:
    """At most `n` points in seeded order; without `repeats`, each form once."""
    chosen = points.select(drawn(points.forms, n, repeats, seed))
    rng = np.random.default_rng(seed)
    mixed = [shuffled_labels(chosen.labels, chosen.groups, rng) for _ in range(shuffles)]
    return MapDraw(seed, chosen, np.stack([chosen.labels, *mixed]))


def shuffled_labels(
    labels: Int[np.ndarray, " point"], groups: Int[np.ndarray, " point"], rng: np.random.Generator
) -> Int[np.ndarray, " point"]:
    """The labels exchanged by the unit that was labelled: groups, if all points of a group have one label."""
    _, first, whose, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    if (sizes > 1).any() and (labels == labels[first][whose]).all():
        return rng.permutation(labels[first])[whose]
    return rng.permutation(labels)


def points_of(model: Model, examples: Examples, asked: Task, pooling: str) -> Points:
    """The labelled units of a corpus that do not stand at the first position. A map holds nothing out: all splits."""
    whole = replace(examples, splits=("train",) * len(examples))
    units = flat(whole, asked)
    problem = problem_of(units, examples, seed=0)
    per_word = bool(units.word[0] >= 0)
    places = zip(units.example.tolist(), units.word.tolist(), strict=True)
    texts = [_shown(examples, example, word) for example, word in places]
    points = Points(
        rows=problem.rows, labels=problem.labels, classes=problem.classes, forms=units.form,
        texts=np.array(texts, dtype=object), groups=units.group, per_word=per_word,
    )  # fmt: skip
    position = f"{'word' if per_word else 'text'}_{pooling}"
    return points.select(off_the_first(model, examples, position)[points.rows])


def _shown(examples: Examples, example: int, word: int) -> str:
    text = examples.texts[example]
    if word < 0 or examples.spans is None:
        return text if len(text) <= 2 * CONTEXT else f"{text[: 2 * CONTEXT]}…"
    return in_context(text, examples.spans[example][word], CONTEXT)

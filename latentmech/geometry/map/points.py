"""`Points`: the labelled words (or texts) that a map can show, and the draw of those that it does show."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from latentmech.data import Examples, Task, flat
from latentmech.geometry.first_position import off_the_first
from latentmech.geometry.word_forms import first_of_each
from latentmech.model import Model
from latentmech.probe.problem import problem_of

CONTEXT = 45  # characters shown on either side of a word


@dataclass(frozen=True)
class Points:
    """Labelled units as parallel arrays.

    Attributes:
        rows: each unit's row in the activations.
        labels: class numbers.
        classes: their names.
        forms: the word, or the whole text.
        texts: the word in brackets within its context, for a reader.
        per_word: whether the units are words.
    """

    rows: Int[np.ndarray, " point"]
    labels: Int[np.ndarray, " point"]
    classes: tuple[str, ...]
    forms: np.ndarray
    texts: np.ndarray
    per_word: bool

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, points: np.ndarray) -> "Points":
        """Those that a mask or an index array picks."""
        picked = {name: getattr(self, name)[points] for name in ("rows", "labels", "forms", "texts")}
        return replace(self, **picked)

    def draw(self, n: int, repeats: bool, seed: int) -> "Points":
        """At most `n` of them in seeded order; without `repeats`, each form once."""
        order = np.random.default_rng(seed).permutation(len(self))
        if not repeats:
            order = order[first_of_each(self.forms[order])]
        return self.select(order[:n])


def points_of(model: Model, examples: Examples, asked: Task, pooling: str) -> Points:
    """The labelled units of a corpus that do not stand at the first position. A map holds nothing out: all splits."""
    whole = replace(examples, splits=("train",) * len(examples))
    units = flat(whole, asked)
    problem = problem_of(units, examples, None, seed=0)
    per_word = bool(units.word[0] >= 0)
    places = zip(units.example.tolist(), units.word.tolist(), strict=True)
    texts = [_shown(examples, example, word) for example, word in places]
    points = Points(
        rows=problem.rows,
        labels=problem.labels,
        classes=problem.classes,
        forms=units.form,
        texts=np.array(texts, dtype=object),
        per_word=per_word,
    )
    position = f"{'word' if per_word else 'text'}_{pooling}"
    return points.select(off_the_first(model, examples, position)[points.rows])


def _shown(examples: Examples, example: int, word: int) -> str:
    text = examples.texts[example]
    if word < 0 or examples.spans is None:
        return text if len(text) <= 2 * CONTEXT else f"{text[: 2 * CONTEXT]}…"
    start, end = examples.spans[example][word]
    left, right = text[max(start - CONTEXT, 0) : start], text[end : end + CONTEXT]
    more = ("…" if start > CONTEXT else "", "…" if end + CONTEXT < len(text) else "")
    return f"{more[0]}{left}[{text[start:end]}]{right}{more[1]}"

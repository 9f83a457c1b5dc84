"""A comparison in sentences: the headline, and what a reader must know beside the numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.geometry.compare.against import Against, AtLevel
from latentmech.geometry.compare.common_words import Words
from latentmech.model import Model

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def headline(study: "CompareStudy", model: Model, other: Against, twin: Against | None) -> str:
    """Where the two differ most, and what the direction lost."""
    values = [at.alike.own["cka"].value for at in other.levels]
    least = other.levels[int(np.argmin(values))]
    rest = f" (with its random-init twin {twin.mean('cka'):.3f} and {twin.mean('knn'):.3f})" if twin else ""
    text = (
        f"{model.name} and {other.name} have a mean CKA of {other.mean('cka'):.3f} and share "
        f"{other.mean('knn'):.3f} of their neighbours{rest}; they are least alike at {named(least)}, with "
        f"{min(values):.3f}."
    )
    moved = [at for at in other.levels if at.drift is not None]
    if not moved or study.contrast is None:
        return text
    worst = max(moved, key=lambda at: at.drift.loss.value if at.drift else 0.0)
    assert worst.drift is not None
    cosine = float(np.nanmean([at.drift.cosine for at in moved if at.drift]))
    mean = float(np.mean([at.drift.loss.value for at in moved if at.drift]))
    return (
        f"{text} The {study.called} direction has a mean cosine of {cosine:.3f} between the two; used frozen "
        f"instead of refitted it loses {mean:.3f} AUROC in the mean; of {len(moved)} levels it loses "
        f"most at {named(worst)}, with {worst.drift.frozen:.3f} against {worst.drift.refitted:.3f}."
    )


def course(model: Model, found: Sequence[Against], twin: Against | None) -> str:
    """Several models in one sentence, in the order in which they were given."""
    shown = [f"{other.name} {other.mean('cka'):.3f}" for other in found]
    rest = f"; with its random-init twin {twin.mean('cka'):.3f}" if twin else ""
    return f"Mean CKA over the levels of {model.name}: {', '.join(shown)}{rest}."


def named(at: AtLevel) -> str:
    """A level in a sentence."""
    return "the embedding" if at.level.layer is None else f"block {at.level.layer}"


def notes(model: Model, words: Words, found: Sequence[Against], twin: Against | None) -> list[str]:
    """What decides how the numbers may be read."""
    said = [f"{model.name}: {model.checkpoint.note}."] if model.checkpoint.note else []
    if words.apart:
        said.append(
            f"{words.apart} words of the texts were left out: a model has them in one token with something else."
        )
    for other in found:
        if other.same:
            said.append(f"{model.name} and {other.name} have the same weights, tokenizer and settings.")
        if len(other.other_levels) != len(other.levels):
            said.append(f"{other.name} has another number of blocks: levels are matched by their share of the depth.")
        if other.levels[0].drift is None:
            said.append(f"No direction is compared with {other.name}: the width differs, or it was switched off.")
    if twin is None:
        said.append("Switched off by setting: random-init twin.")
    return said

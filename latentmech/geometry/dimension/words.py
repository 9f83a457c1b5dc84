"""What a dimension study says in sentences: the headline and the notes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentmech.data import Examples
from latentmech.geometry.dimension.estimates import at_share
from latentmech.geometry.dimension.findings import CONTROLS, Found, middle_mle, unit_of, values_of
from latentmech.geometry.first_position import said_of_the_first
from latentmech.geometry.word_forms import first_of_each, forms_of
from latentmech.model import Level, Model
from latentmech.statistics import Estimate

if TYPE_CHECKING:
    from latentmech.geometry.dimension.study import DimensionStudy


def headline(study: "DimensionStudy", found: Found, levels: Sequence[Level], model: Model, unit: str) -> str:
    """Where TwoNN is highest, what its null gives there, and whether the number has settled with sample size."""
    values = values_of(found["model"], "two_nn")
    if not np.isfinite(values).any():
        return f"Too few distinct {unit} to estimate a dimension in {model.name}."
    top, mle = int(np.nanargmax(values)), middle_mle(study)
    own = found["model"][top]
    null = found["coordinates_shuffled"][top]["two_nn"].value
    said = (
        f"The {unit} fill at most {own['two_nn'].value:.1f} dimensions by TwoNN, at {levels[top].place} of "
        f"{model.name} (MLE {own[mle].value:.1f}, participation ratio {own['participation_ratio'].value:.1f}, of "
        f"{model.d_model}); with every coordinate shuffled the same estimator gives {null:.1f}, "
    )
    said += f"so it {'does' if own['two_nn'].ci_high < null else 'does not'} see structure. "
    others = [who for who in ("words_shuffled", "random_init") if who in found]
    values_there = [f"{CONTROLS[who]} {found[who][top]['two_nn'].value:.1f}" for who in others]
    said += f"There also: {', '.join(values_there)}. " if others else ""
    return said + _settled(study, own, unit)


def _settled(study: "DimensionStudy", own: Mapping[str, Estimate], unit: str) -> str:
    """Whether the smallest part of the rows gives the same dimension as all of them."""
    share = min(study.shares)
    part = own[at_share("two_nn", share)].value
    if share == 1 or not np.isfinite(part):
        return f"How it depends on the number of {unit} was not measured."
    change = own["two_nn"].value / part - 1
    verdict = "has settled" if abs(change) < 0.1 else "has not settled: it is a statement about this sample"
    return f"From {share:g} of the {unit} it is {part:.1f} ({change:+.0%} with all of them): the number {verdict}."


def notes_on(study: "DimensionStudy", found: Found, model: Model, examples: Examples) -> Iterator[str]:
    """What a reader must know before believing a dimension."""
    yield from examples.notes
    if model.checkpoint.note:
        yield f"{model.name}: {model.checkpoint.note}."
    unit = unit_of(examples)
    yield said_of_the_first(f"{unit[:-1]}_{study.position}")
    if not study.repeats:
        known = len(first_of_each(forms_of(examples)))
        yield f"Every form is drawn once at most; draws share some of the {known:,}, so their range is narrow."
    copies = values_of(found["model"], "duplicates")
    yield f"Copies among the {unit} of a draw: {min(copies):.0f} to {max(copies):.0f}, by level."
    yield (
        "TwoNN and MLE fall short of high dimensions at any affordable sample size; compare levels and controls, "
        "not absolute numbers."
    )
    off = {"words shuffled": not study.shuffle_words, "random-init twin": not study.random_init}
    yield from (f"Switched off by setting: {name}." for name, is_off in off.items() if is_off)

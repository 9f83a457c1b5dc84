"""A comparison in sentences: the headline, and what a reader must know beside the numbers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from latentmech.geometry.compare.against import Against
from latentmech.geometry.compare.drift import FEWEST
from latentmech.geometry.compare.findings import Findings

if TYPE_CHECKING:
    from latentmech.geometry.compare.study import CompareStudy


def headline(study: "CompareStudy", f: Findings) -> str:
    """Where the two differ most, and what the direction lost."""
    (other,), twin = f.found, f.twin
    values = [at.alike.own["cka"].value for at in other.levels]
    least = other.levels[int(np.argmin(values))]
    rest = f" (with its random-init twin {twin.mean('cka'):.3f} and {twin.mean('knn'):.3f})" if twin else ""
    text = (
        f"{f.model.name} and {other.name} have a mean CKA of {other.mean('cka'):.3f} and share "
        f"{other.mean('knn'):.3f} of their neighbours{rest}; they are least alike at {least.level.place}, with "
        f"{min(values):.3f}."
    )
    return " ".join([text, *_reading(study, other), *_probes(study, other), *_moving(study, other)])


def _reading(study: "CompareStudy", other: Against) -> Iterator[str]:
    """What a frozen direction reads."""
    if not other.drifts:
        return
    worst, lost = max(other.drifts, key=lambda pair: pair[1].loss.value)
    cosine = float(np.nanmean([drift.cosine for _, drift in other.drifts]))
    mean = float(np.mean([drift.loss.value for _, drift in other.drifts]))
    yield (
        f"The {study.called} direction has a mean cosine of {cosine:.3f} between the two; used frozen instead of "
        f"refitted it loses {mean:.3f} AUROC in the mean; of {len(other.drifts)} levels it loses most at "
        f"{worst.level.place}, with {lost.frozen:.3f} against {lost.refitted:.3f}."
    )


def _probes(study: "CompareStudy", other: Against) -> Iterator[str]:
    """What frozen probes read."""
    if other.probed:
        frozen, refitted = (float(np.mean([getattr(p, n) for _, p in other.probed])) for n in ("frozen", "refitted"))
        yield f"Probes for {study.probe} are right for {frozen:.3f} of the words frozen, and {refitted:.3f} refitted."


def _moving(study: "CompareStudy", other: Against) -> Iterator[str]:
    """What a frozen direction still brings about."""
    clear = [(at, effect) for at, effect in other.effects if np.isfinite(effect.kept.value)]
    if other.effects and not clear:
        yield (
            f"Added to {other.name}, its own {study.called} direction moves the log-odds at none of "
            f"{len(other.effects)} blocks clearly more than random vectors do, so no share of its effect can be given."
        )
    if clear:
        at, best = max(clear, key=lambda pair: abs(pair[1].refitted.value))
        yield (
            f"Added at {at.level.place}, where its own direction moves {other.name} most "
            f"({best.refitted.value:+.2f} nats), the frozen one keeps {best.kept.value:.2f} "
            f"[{best.kept.ci_low:.2f}, {best.kept.ci_high:.2f}] of the effect, and {best.kept_turned.value:.2f} at the "
            f"other's length; random vectors reach {best.random_max:.2f}."
        )


def course(study: "CompareStudy", f: Findings) -> str:
    """Several models in one sentence, in the order in which they were given."""
    shown = [f"{other.name} {other.mean('cka'):.3f}" for other in f.found]
    rest = f"; with its random-init twin {f.twin.mean('cka'):.3f}" if f.twin else ""
    text = f"Mean CKA over the levels of {f.model.name}: {', '.join(shown)}{rest}."
    cosines = {o.name: np.nanmean([drift.cosine for _, drift in o.drifts]) for o in f.found if o.drifts}
    if not cosines:
        return text
    return (
        f"{text} Mean cosine of the {study.called} direction: {', '.join(f'{n} {c:.3f}' for n, c in cosines.items())}."
    )


def notes(study: "CompareStudy", f: Findings) -> list[str]:
    """What decides how the numbers may be read."""
    said = [f"{f.model.name}: {f.model.checkpoint.note}."] if f.model.checkpoint.note else []
    said += [*f.warnings, *(f.trials.notes if f.trials else ())]
    if f.words.apart:
        said.append(
            f"{f.words.apart} words of the texts were left out: a model has them in one token with something else."
        )
    if study.direction is not None:
        said.append(
            f"The first model's direction is {study.direction}; whether its own texts are in test is not known."
        )
    for other in f.found:
        said += _about(other, f)
    off = {
        "random-init twin": f.twin is None,
        "probes": study.probe is None,
        "effect of the direction": f.trials is None,
    }
    return said + [f"Switched off by setting: {name}." for name, is_off in off.items() if is_off]


def _about(other: Against, f: Findings) -> Iterator[str]:
    if other.same:
        yield f"{f.model.name} and {other.name} have the same weights, tokenizer and settings."
    if len(other.other_levels) != len(other.levels):
        yield f"{other.name} has another number of blocks: levels are matched by their share of the depth."
    if not other.drifts:
        yield f"No direction is compared with {other.name}: the width differs, or it was switched off."
    unclear = sum(np.isnan(effect.kept.value) for _, effect in other.effects)
    if other.effects and np.isnan(other.effects[0][1].refitted.ci_low):
        yield f"The prompts belong to fewer than {FEWEST} groups, so effects have no interval and no share is given."
    elif unclear:
        yield (
            f"In {other.name} no share of the effect is given at {unclear} of {len(other.effects)} blocks: there the "
            "refitted direction does not do clearly more than random vectors."
        )

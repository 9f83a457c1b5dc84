"""Which words are asked and which are candidates, so that every space gets the same questions."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from latentmech.data import Analogies, common_words, with_company
from latentmech.geometry.spaces import Space, in_template, tokens_of
from latentmech.model import Model

if TYPE_CHECKING:
    from latentmech.geometry.analogies.study import AnalogiesStudy


@dataclass(frozen=True)
class Asked:
    """What every space is asked.

    Attributes:
        analogies: the pairs whose words every space has.
        candidates: among which an answer is looked for; the words of the pairs come first.
        single: how many words of the pairs are a single token.
        static: the static vectors of the candidates.
    """

    analogies: Analogies
    candidates: tuple[str, ...]
    single: int
    static: Space | None


def asked(study: "AnalogiesStudy", model: Model) -> Asked:
    """Leave out, for all spaces, what one of them lacks."""
    analogies, static = study.data(), study.static
    vectors = {} if static is None else static(_candidates(study, analogies))
    if static is not None:
        analogies = _left(analogies, vectors, f"{static.name} has no vector for one of their words")
    tokens = tokens_of(model, in_template(analogies.words, study.template))
    short = {word for word, ids in zip(analogies.words, tokens, strict=True) if len(ids) == 1}
    if study.single_token:
        analogies = _left(analogies, short, "one of their words has several tokens")
    single = sum(word in short for word in analogies.words)
    candidates = _candidates(study, analogies)
    if static is None:
        return Asked(analogies, candidates, single, None)
    candidates = tuple(word for word in candidates if word in vectors)
    rows = torch.stack([vectors[word] for word in candidates])
    return Asked(analogies, candidates, single, Space(static.name, static.name, rows, "static"))


def _candidates(study: "AnalogiesStudy", analogies: Analogies) -> tuple[str, ...]:
    """The data's words, those of the examples, and common words that are none of them in other letters."""
    own = [*analogies.words, *(word for example in study.examples for word in example.split())]
    folded = {word.lower() for word in own}
    common = [word for word in common_words()[: study.common] if word not in folded]
    return tuple(dict.fromkeys([*own, *common]))


def _left(analogies: Analogies, known: Collection[str], why: str) -> Analogies:
    """The pairs of known words, with a note on the others."""
    kept = with_company(analogies.where(lambda i: analogies.first[i] in known and analogies.second[i] in known))
    dropped = len(analogies) - len(kept)
    note = f"{dropped} of {len(analogies)} pairs were left out for every space: {why}"
    return replace(kept, notes=(*kept.notes, note)) if dropped else kept

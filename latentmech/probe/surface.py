"""The answers without a model that fit a problem: for words, for whole texts, for pairs of mentions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from latentmech.data import Examples
from latentmech.probe import baselines
from latentmech.probe.baselines import Answers
from latentmech.probe.problem import Problem

BUCKET, FARTHEST = 2, 6  # words between two mentions: counted in twos, and no further than this many of them


def surface_answers(problem: Problem, split: str, *, proper_noun: bool = False) -> dict[str, Answers]:
    """For words, the majority and look-ups; for texts, the majority and a bag of words.

    Args:
        proper_noun: the positive class is what a capital letter speaks for.
    """
    train, labels = problem.of("train", problem.units.form).tolist(), problem.of("train", problem.labels)
    forms, n = problem.of(split, problem.units.form).tolist(), problem.n_classes
    answers = {"majority": np.full(len(forms), baselines.majority(labels, n))}
    if problem.units.word[0] < 0:
        return answers | {"bag_of_words": baselines.bag_of_words(train, labels, forms, n)}
    answers["lookup"] = baselines.lookup(train, labels, forms, n)
    answers["lookup_folded"] = baselines.lookup_folded(train, labels, forms, n)
    if proper_noun:
        initial = (problem.of(split, problem.units.word) == 0).tolist()
        answers["lookup_capitalised"] = baselines.lookup_capitalised(train, labels, forms, initial, 1)
    return answers


def mention_answers(problem: Problem, examples: Examples, split: str) -> dict[str, Answers]:
    """For pairs of mentions: what a text says about them before it is understood.

    The commonest label of train among pairs with the same first mention, the same second one, as many words between
    them, the same rank of the first among the candidates of the second, and the last three together with the form.
    """
    labels, n = problem.of("train", problem.labels), problem.n_classes
    answers = surface_answers(problem, split)
    for name, cues in _cues(examples).items():
        key = np.array(cues, dtype=object)[problem.units.example]
        known, asked = (problem.of(part, key).tolist() for part in ("train", split))
        answers[name] = baselines.lookup(known, labels, asked, n)
    return answers


def _cues(examples: Examples) -> Mapping[str, Sequence[str]]:
    """Each pair's cues, spelled as text."""
    forms = [tuple(word.lower() for word in examples.words(i)) for i in range(len(examples))]
    between = [_between(examples, i) for i in range(len(examples))]
    rank = _ranks(examples)
    return {
        "first_mention": [first for first, _ in forms],
        "second_mention": [second for _, second in forms],
        "distance": between,
        "order": rank,
        "second_mention_and_distance": [f"{f[1]} {b}" for f, b in zip(forms, between, strict=True)],
        "second_mention_and_order": [f"{f[1]} {r}" for f, r in zip(forms, rank, strict=True)],
    }


def _between(examples: Examples, index: int) -> str:
    spans = examples.spans[index] if examples.spans else ()
    words = len(examples.texts[index][spans[0][1] : spans[1][0]].split())
    return str(min(words // BUCKET, FARTHEST))


def _ranks(examples: Examples) -> list[str]:
    """Which of the candidates that a text offers the first mention is: 0 for the leftmost."""
    starts = defaultdict(set)
    spans = examples.spans or ()
    for text, (first, _) in zip(examples.texts, spans, strict=True):
        starts[text].add(first[0])
    return [str(sorted(starts[text]).index(first[0])) for text, (first, _) in zip(examples.texts, spans, strict=True)]

"""What is known without the model: the answers that a representation must beat before it has told us anything.

For all     the commonest class; of two classes, always the positive one
For words   the commonest class of the word in train, or else of the word in small letters, or else by its capital
For texts   length, last character, first word, bag of words (`latentmech.data.surface`)
For pairs   what a text says about two mentions before it is understood
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from latentmech.data import Examples, surface_scores
from latentmech.probe.problem import Problem

Known = Int[np.ndarray, " known"]
Given = Int[np.ndarray, " row"]

BUCKET, FARTHEST = 2, 6  # words between two mentions: counted in twos, and no further than this many of them


def surface_answers(problem: Problem, split: str, *, capital: bool = False) -> dict[str, Given]:
    """Class numbers that each rival without the model answers on a split, by its name.

    Args:
        capital: the positive class is what a capital letter speaks for.
    """
    train, labels = problem.of("train", problem.units.form).tolist(), problem.of("train", problem.labels)
    forms, n = problem.of(split, problem.units.form).tolist(), problem.n_classes
    answers = {"majority": np.full(len(forms), majority(labels, n))}
    if n == 2:
        answers["always_positive"] = np.ones(len(forms), dtype=np.int64)
    if problem.unit == "text":
        scores = surface_scores(train, labels, n, forms)
        return answers | {name: classes.argmax(1) for name, classes in scores.items()}
    answers["lookup"] = lookup(train, labels, forms, n)
    answers["lookup_folded"] = lookup_folded(train, labels, forms, n)
    if capital:
        initial = (problem.of(split, problem.units.word) == 0).tolist()
        answers["lookup_capitalised"] = lookup_capitalised(train, labels, forms, initial, 1)
    return answers


def majority(labels: Known, n_classes: int) -> int:
    """The commonest class."""
    return int(np.bincount(labels, minlength=n_classes).argmax())


def lookup(train: Sequence[str], labels: Known, forms: Sequence[str], n_classes: int) -> Given:
    """Each word's commonest class in train, as it is spelled; the majority class for an unknown word."""
    known, fallback = _commonest(train, labels), majority(labels, n_classes)
    return np.array([known.get(form, fallback) for form in forms], dtype=np.int64)


def lookup_folded(train: Sequence[str], labels: Known, forms: Sequence[str], n_classes: int) -> Given:
    """The look-up, backing off from an unknown word to its lower-cased form, and then to the majority class."""
    exact, folded = _commonest(train, labels), _commonest([form.lower() for form in train], labels)
    fallback = majority(labels, n_classes)
    answers = [exact.get(form, folded.get(form.lower(), fallback)) for form in forms]
    return np.array(answers, dtype=np.int64)


def lookup_capitalised(
    train: Sequence[str], labels: Known, forms: Sequence[str], initial: Sequence[bool], positive: int
) -> Given:
    """The look-up, and for unknown words the capital letter, if it does not begin a text.

    Args:
        initial: whether each word of `forms` is the first of its text, where a capital says nothing.
        positive: the class that a capital letter speaks for; the task must be binary.
    """
    known = _commonest(train, labels)
    capital = [form[:1].isupper() and not first for form, first in zip(forms, initial, strict=True)]
    guesses = np.where(capital, positive, 1 - positive)
    return np.array([known.get(form, guess) for form, guess in zip(forms, guesses, strict=True)], dtype=np.int64)


def _commonest(forms: Sequence[str], labels: Known) -> dict[str, int]:
    """Form -> commonest label; of equally common ones the one seen first."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for form, label in zip(forms, labels.tolist(), strict=True):
        counts[form][label] += 1
    return {form: counter.most_common(1)[0][0] for form, counter in counts.items()}


def mention_answers(problem: Problem, examples: Examples, split: str) -> dict[str, Given]:
    """For pairs of mentions: what a text says about them before it is understood.

    The commonest label of train among pairs with the same first mention, the same second one, as many words between
    them, the same rank of the first among the candidates of the second, and the last three together with the form.
    """
    labels, n = problem.of("train", problem.labels), problem.n_classes
    answers = surface_answers(problem, split)
    for name, cues in _cues(examples).items():
        key = np.array(cues, dtype=object)[problem.units.example]
        known, asked = (problem.of(part, key).tolist() for part in ("train", split))
        answers[name] = lookup(known, labels, asked, n)
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

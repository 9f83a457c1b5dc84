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
    folded = lookup([form.lower() for form in train], labels, [form.lower() for form in forms], n)
    answers["lookup_folded"] = lookup(train, labels, forms, n, folded)
    if capital:
        inside = problem.of(split, problem.units.word) > 0  # a capital says nothing at the beginning of a text
        begins = inside & np.array([form[:1].isupper() for form in forms])
        answers["lookup_capitalised"] = lookup(train, labels, forms, n, begins.astype(np.int64))
    return answers


def majority(labels: Known, n_classes: int) -> int:
    """The commonest class."""
    return int(np.bincount(labels, minlength=n_classes).argmax())


def lookup(
    known: Sequence[str], labels: Known, forms: Sequence[str], n_classes: int, otherwise: Given | None = None
) -> Given:
    """Each form's commonest class among the known ones; of equally common ones the one seen first.

    Args:
        otherwise: answers for forms that are not known; default the majority class.
    """
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for form, label in zip(known, labels.tolist(), strict=True):
        counts[form][label] += 1
    commonest = {form: counter.most_common(1)[0][0] for form, counter in counts.items()}
    if otherwise is None:
        otherwise = np.full(len(forms), majority(labels, n_classes))
    answers = [commonest.get(form, other) for form, other in zip(forms, otherwise.tolist(), strict=True)]
    return np.array(answers, dtype=np.int64)


def mention_answers(problem: Problem, examples: Examples, split: str) -> dict[str, Given]:
    """For pairs of mentions, what a text says before it is understood: the commonest label of train for each cue."""
    labels, n = problem.of("train", problem.labels), problem.n_classes
    answers = surface_answers(problem, split)
    for name, cues in _cues(examples).items():
        key = np.array(cues, dtype=object)[problem.units.example]
        known, asked = (problem.of(part, key).tolist() for part in ("train", split))
        answers[name] = lookup(known, labels, asked, n)
    return answers


def _cues(examples: Examples) -> Mapping[str, Sequence[str]]:
    """Each pair's cues, spelled as text: either mention, how many words lie between, and the rank of the first one.

    That is 0 for the leftmost of the candidates that a text offers.
    """
    pairs = list(zip(examples.texts, examples.spans or (), strict=True))
    forms = [tuple(word.lower() for word in examples.words(i)) for i in range(len(examples))]
    words = [len(text[first[1] : second[0]].split()) for text, (first, second) in pairs]
    between = [str(min(n // BUCKET, FARTHEST)) for n in words]
    starts = defaultdict(set)
    for text, (first, _) in pairs:
        starts[text].add(first[0])
    rank = [str(sorted(starts[text]).index(first[0])) for text, (first, _) in pairs]
    return {
        "first_mention": [first for first, _ in forms],
        "second_mention": [second for _, second in forms],
        "distance": between,
        "order": rank,
        "second_mention_and_distance": [f"{f[1]} {b}" for f, b in zip(forms, between, strict=True)],
        "second_mention_and_order": [f"{f[1]} {r}" for f, r in zip(forms, rank, strict=True)],
    }

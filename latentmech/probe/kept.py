"""What a probe study reads: the rows of all words; or rows of dev and test, and moments of train.

Ridge, LDA and mass-mean probes need of their training rows one scatter matrix, and the means of classes for the task
and for each labelling that means nothing. What is scored is scored row by row, so dev and test keep their rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from latentmech.activations import LEFT_OUT, Activations, ActivationStore, Held, JointMoments, all_of, name_of
from latentmech.data import Examples
from latentmech.model import Level, Model
from latentmech.probe.problem import Labellings, Problem, rows_of

SAID = (
    "Training rows were summed up and not kept (activations.keep=moments); dev and test have their rows. How many "
    "words share a vector was not counted."
)


@dataclass(frozen=True, eq=False)
class Kept:
    """Where the rows of a problem are.

    Attributes:
        problem: its units point into `activations`, but for those of train where there are `moments`.
        moments: of the training rows, by hook point: the task first, then the other labellings.
    """

    problem: Problem
    activations: Activations
    moments: Mapping[str, JointMoments] | None = None


def kept_by(
    store: ActivationStore, model: Model, examples: Examples, levels: Sequence[Level], position: str,
    problem: Problem, labellings: Labellings,
) -> Kept:  # fmt: skip
    """Collect what the store is set to keep."""
    if store.keep == "rows":
        return Kept(problem, store.get(model, examples, levels, position))
    per_word = problem.unit == "word"
    sizes = np.array(examples.sizes() if per_word else (1,) * len(examples))
    in_train = np.repeat(np.array(examples.splits) == "train", sizes)
    labels = np.full((1 + len(labellings), len(in_train)), LEFT_OUT)
    place = rows_of(problem.units, examples)
    labels[:, place] = np.stack([problem.labels, *(own for _, own in labellings)])
    train = examples.in_split("train")
    sizes_of = [problem.n_classes] * len(labels)
    source = Held(train, labels[:, in_train], sizes_of, per_word, store.shard_rows)
    others = examples.where(lambda i: examples.splits[i] != "train")
    if store.shard is not None:
        both = (partial(store.moments, model, source), partial(store.of_rows.get, model, others))
        all_of(*(partial(one, levels, position) for one in both))
    sums = store.moments(model, source, levels, position)
    rows = np.where(in_train, LEFT_OUT, np.cumsum(~in_train) - 1)[place]
    activations = store.of_rows.get(model, others, levels, position)
    moments = {level.hook_name: sums[name_of(level.hook_name)] for level in levels}
    return Kept(replace(problem, rows=rows), activations, moments)

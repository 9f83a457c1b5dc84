"""The direction beside others: cosines to those of the bundled sets, and what it reads in other data."""

from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import (
    Contrast,
    Examples,
    Pairs,
    bundled_pairs,
    cross_split_duplicates,
    has_both_kinds,
    read_texts,
    said,
)
from latentmech.data.merge import merge
from latentmech.direction.candidates import Candidate, Parts
from latentmech.direction.direction import Direction, unit
from latentmech.direction.methods import method_of
from latentmech.direction.positions import placed, rendered
from latentmech.direction.stability import stability
from latentmech.errors import BadInput
from latentmech.model import Model, levels_of
from latentmech.statistics import Estimate, auroc, bootstrap

if TYPE_CHECKING:
    from latentmech.direction.study import DirectionStudy


@dataclass(frozen=True)
class Relative:
    """Cosine to another direction at the same layer, and the most that noise in both would leave of a cosine of 1."""

    name: str
    cosine: float
    ceiling: float


@dataclass(frozen=True)
class Transfer:
    """What the direction reads in other data, and how much of those it has seen.

    Attributes:
        auroc: NaN with an empty interval where the data have one kind only and nothing to compare it with.
        duplicates: of its texts, those that train or dev has word for word, and those that are nearly so.
        n: its texts.
    """

    name: str
    auroc: Estimate
    exact: int
    near: int
    n: int


def cosines(
    study: "DirectionStudy", own: Direction, whole: float, model: Model, store: ActivationStore
) -> list[Relative]:
    """Every other bundled set, read at the same layer by the same method and rule.

    Args:
        whole: expected cosine between this direction and one from as many other texts.
    """
    found = []
    for name in bundled_pairs():
        if study.data.path is None and name == study.data.name:
            continue
        contrast = Pairs(name=name)()
        rows, parts = rows_at(study, contrast.joint, own, model, store), Parts.of(contrast)
        method = method_of(study.method)
        vector = unit(method(parts.sample(rows, parts.within("train"))))
        stable = stability(method, parts, rows, study.halvings, study.seed)
        ceiling = sqrt(max(whole, 0) * max(stable.whole, 0)) if study.halvings else float("nan")
        found.append(Relative(name, float(vector @ own.vector), ceiling))
    return found


def transfers(
    study: "DirectionStudy", own: Direction, contrast: Contrast, best: Candidate, model: Model, store: ActivationStore
) -> list[Transfer]:
    """What the direction reads in each of the study's other data sets."""
    return [_transfer(study, where, own, contrast, best, model, store) for where in study.transfer]


def check_transfer(where: str) -> None:
    """BadInput where there is neither a bundled set nor a file of that name."""
    if where not in bundled_pairs() and not Path(where).expanduser().exists():
        raise BadInput(f"direction.transfer: {where} is no file and no bundled set ({', '.join(bundled_pairs())})")


def _transfer(
    study: "DirectionStudy",
    where: str,
    own: Direction,
    contrast: Contrast,
    best: Candidate,
    model: Model,
    store: ActivationStore,
) -> Transfer:
    path = Path(where).expanduser()
    examples, positive = _foreign(study, where)
    scores = own.project(rows_at(study, examples, own, model, store)).double().numpy()
    seen = contrast.joint.where(lambda i: contrast.joint.splits[i] != "test")
    texts = merge([_bare(seen, "train", "own"), _bare(examples, "test", "foreign")])
    copies = cross_split_duplicates(texts)
    if positive.all():  # one kind only: the other is our own test set's
        test = contrast.in_split("test")
        scores = np.concatenate([scores, best.test_scores[~test.labels]])
        groups = [*examples.groups, *test.negative.groups]
        positive = np.concatenate([positive, np.zeros(len(test.negative), dtype=bool)])
    else:
        groups = list(examples.groups)
    clusters = np.unique(np.array(groups, dtype=object), return_inverse=True)[1]
    value = bootstrap(lambda w: auroc(scores, positive, w), clusters, study.draws)
    name = where if where in bundled_pairs() else path.stem
    return Transfer(name, value, int(copies.exact.sum()), int(copies.near.sum()), len(examples))


def _foreign(study: "DirectionStudy", where: str) -> tuple[Examples, np.ndarray]:
    """Texts of other data and which of them are positive; texts of one kind are all taken as positive.

    Of a bundled set only test: bundled sets may share texts, and are split alike.
    """
    if where in bundled_pairs():
        contrast = Pairs(name=where)().in_split("test")  # it may share groups with the study's own train
    elif has_both_kinds(path := Path(where).expanduser()):
        contrast = Pairs(path=path, positive=None if not path.is_dir() else study.data.positive)()
    else:
        examples = read_texts(path)
        return examples, np.ones(len(examples), dtype=bool)
    return contrast.joint, contrast.labels


def _bare(examples: Examples, split: str, prefix: str) -> Examples:
    """Only what duplicates are looked for in, under ids that cannot clash."""
    ids = tuple(f"{prefix}/{name}" for name in examples.ids)
    plain = replace(said(examples), ids=ids, splits=(split,) * len(ids), spans=None, word_columns=frozenset())
    return replace(plain, columns={}, groups=ids)


def rows_at(
    study: "DirectionStudy", examples: Examples, own: Direction, model: Model, store: ActivationStore
) -> Float[Tensor, "row d_model"]:
    """Activations at the direction's own layer, at its position or, where a text has no such place, at the last."""
    rule = str(own.card["position"])
    texts = rendered(model, examples, study.chat_template, study.system)
    rules = ("post_instruction",) if rule.startswith("post_") else (rule,)
    try:
        at, names = placed(model, examples, texts, rules)
    except BadInput:
        at, names = placed(model, examples, texts, ("last",))
    levels = levels_of(model.n_layers, study.site, study.layers)  # all: the study may have collected them already
    activations = store.get(model, at, levels, "word_mean")
    rows = activations.level(own.hook_name).view(len(examples), len(names), -1)
    return rows[:, names.index(rule) if rule in names else -1].to(torch.float32)


def shuffled_direction(
    study: "DirectionStudy", contrast: Contrast, own: Direction, model: Model, store: ActivationStore
) -> Float[Tensor, " d_model"]:
    """The unit vector that the study's method finds at the direction's place when training labels are shuffled."""
    rows, parts = rows_at(study, contrast.joint, own, model, store), Parts.of(contrast)
    train = parts.within("train")
    positive = parts.positive.copy()
    positive[train] = np.random.default_rng(study.seed).permutation(positive[train])
    blind = replace(parts, positive=positive, partners=parts.partners[:0])
    method = method_of(study.method if study.method != "pca_of_differences" else "difference_of_means")
    return unit(method(blind.sample(rows, train)))

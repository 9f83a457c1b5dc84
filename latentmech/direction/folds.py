"""Leave-one-topic-out: every text is scored by a direction whose texts were all of other topics.

A fold holds out one group (a topic, a template); of more than 20 groups, a twentieth of them. In each fold

    choose   train without it fits a vector at every level and position, dev without it says which of them, by the
             study's own rule; where train or dev then lacks a kind, all rows outside the fold do both
    refit    at that place the method sees all rows outside the fold, those of the test set too
    score    z = (x . v - c) / s   c midway between the class means of the refitted rows along v, s their root mean
             square distance from there (which is not 0 where a vector fits its own rows perfectly)

so that scores of different folds share a scale. What is scored has been seen neither by the vector nor by the choice
(Stone 1974). All groups speak, where a test set has a fifth of them.

What it does not show: how the saved direction does. That one is fitted on train alone, on fewer texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from latentmech.direction.methods import DirectionMethod, directions_of
from latentmech.direction.sample import Parts, Places, Rows, Scores, surface_of

FOLDS = 20


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows that are held out, all others, and those of them that fit (`train`) and choose (`dev`) before a place is."""

    held: Places
    others: Places
    train: Places
    dev: Places

    @classmethod
    def of(cls, parts: Parts, held: Bool[np.ndarray, " row"]) -> "Fold":
        """The fold that holds out some rows."""
        others = np.flatnonzero(~held)
        train, dev = (np.flatnonzero(~held & (parts.split == split)) for split in ("train", "dev"))
        alone = parts.have_both(train) and parts.have_both(dev)
        return cls(np.flatnonzero(held), others, *((train, dev) if alone else (others, others)))


def folds_of(parts: Parts, seed: int) -> list[Fold]:
    """Each group by itself, or `FOLDS` parts with groups of one split, as far as may be.

    Nothing where a kind of text is in one fold only: then no direction is found without it.
    """
    splits = parts.split[np.unique(parts.group, return_index=True)[1]]
    order = np.random.default_rng(seed).permutation(len(splits))
    order = order[np.argsort(splits[order], kind="stable")]
    fold_of = np.empty(len(splits), dtype=int)
    fold_of[order] = np.arange(len(splits)) * min(FOLDS, len(splits)) // len(splits)
    folds = [Fold.of(parts, fold_of[parts.group] == number) for number in range(fold_of.max() + 1)]
    return folds if all(parts.have_both(fold.others) for fold in folds) else []


def scores_left_out(method: DirectionMethod, parts: Parts, rows: Rows, folds: Sequence[Fold]) -> Scores:
    """The standardised score of every row that a fold holds, at one place; NaN for the others.

    Rows that do not vary along a vector, but for rounding, score 0.
    """
    vectors = directions_of(method, rows, [(parts, fold.others) for fold in folds])
    along = (rows @ vectors.T).double().numpy()
    least = torch.finfo(torch.float32).eps * float(rows.norm(dim=1).mean())
    scores = np.full(len(rows), np.nan)
    for fold, column in zip(folds, along.T, strict=True):
        seen, positive = column[fold.others], parts.positive[fold.others]
        centre = (seen[positive].mean() + seen[~positive].mean()) / 2
        spread = np.sqrt(np.mean((seen - centre) ** 2))
        scores[fold.held] = (column[fold.held] - centre) / spread if spread > least else 0
    return scores


def surface_left_out(texts: Sequence[str], parts: Parts, folds: Sequence[Fold]) -> dict[str, Scores]:
    """What each surface reader scores every text, having learned from all texts outside its fold."""
    found: dict[str, Float[np.ndarray, " row"]] = {}
    for fold in folds:
        seen, held = ([texts[i] for i in places] for places in (fold.others, fold.held))
        for name, scores in surface_of(seen, parts.positive[fold.others], held).items():
            found.setdefault(name, np.full(len(texts), np.nan))[fold.held] = scores
    return found

"""Leaving groups out: against an independent implementation, and what must not be known is not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from sklearn.model_selection import LeaveOneGroupOut

from latentmech.activations import Activations
from latentmech.direction import METHODS, Parts, method_of
from latentmech.direction.candidates import (
    DirectionCandidate,
    NullPlan,
    best_places,
    by_separation,
    candidates_of,
    in_blocks,
)
from latentmech.direction.evaluation import left_out
from latentmech.direction.folds import FOLDS, folds_of, scores_left_out
from latentmech.direction.methods import directions_of
from latentmech.direction.nulls import covariance_directions, exchanges, read_at_best
from latentmech.model import levels_of
from latentmech.statistics import auroc

SPLITS = ("train",) * 6 + ("dev",) * 2 + ("test",) * 2
WIDTH = 12


def topics(strength=1.5, groups=10, pairs=6, seed=0, splits=SPLITS):
    """Rows of paired texts, each topic with a place of its own, the positive ones moved along the first axis."""
    generator = torch.Generator().manual_seed(seed)
    group = np.tile(np.repeat(np.arange(groups), pairs), 2)
    positive = np.arange(len(group)) < groups * pairs
    rows = torch.randn(len(group), WIDTH, generator=generator) + torch.randn(groups, WIDTH, generator=generator)[group]
    rows[positive, 0] += strength
    partners = np.stack([np.flatnonzero(positive), np.flatnonzero(~positive)], axis=1)
    return rows, Parts(positive=positive, split=np.array(splits)[group], group=group, partners=partners)


def test_scores_are_those_of_scikit_learns_folds():
    rows, parts = topics()
    x, y = rows.double().numpy(), parts.positive
    expected = np.empty(len(x))
    for others, held in LeaveOneGroupOut().split(x, y, parts.group):
        high, low = x[others][y[others]].mean(0), x[others][~y[others]].mean(0)
        vector = (high - low) / np.linalg.norm(high - low)
        along = x[others] @ vector
        centre = (high + low) @ vector / 2
        expected[held] = (x[held] @ vector - centre) / np.sqrt(((along - centre) ** 2).mean())
    found = scores_left_out(method_of("difference_of_means"), parts, rows, folds_of(parts, 0))
    assert found == pytest.approx(expected, abs=1e-4)
    assert auroc(found, y) > 0.7


@pytest.mark.parametrize("name", METHODS)
def test_neither_vector_nor_scale_knows_what_it_scores(name):
    """With vector, centre and scale fixed by the others, a score is linear in the state."""
    rows, parts = topics()
    method, folds = method_of(name), folds_of(parts, 0)
    held = folds[3].held
    scores = []
    for factor in (0.0, 1.0, 3.0):
        changed = rows.clone()
        changed[held] *= factor
        scores.append(scores_left_out(method, parts, changed, [folds[3]])[held])
    assert scores[2] - scores[0] == pytest.approx(3 * (scores[1] - scores[0]), abs=1e-3)


def test_every_row_is_held_once_and_with_all_of_its_group():
    for groups in (10, 20, 53):
        splits = tuple(np.resize(["train", "train", "train", "dev", "test"], groups))
        _, parts = topics(groups=groups, pairs=2, splits=splits)
        folds = folds_of(parts, 0)
        assert len(folds) == min(groups, FOLDS)
        assert sorted(np.concatenate([fold.held for fold in folds])) == list(range(len(parts.group)))
        for fold in folds:
            assert not set(parts.group[fold.held]) & set(parts.group[fold.others])
            assert not set(fold.held) & {*fold.train, *fold.dev}
            assert set(parts.split[fold.train]) == {"train"} and set(parts.split[fold.dev]) == {"dev"}
        if groups > FOLDS:
            assert sum(len(set(parts.split[fold.held])) > 1 for fold in folds) <= 2, (
                "else every fold refits every level"
            )


def test_where_dev_is_a_single_group_all_others_choose_when_it_is_left_out():
    _, parts = topics(groups=3, splits=("train", "dev", "test"))
    folds = folds_of(parts, 0)
    chosen_on = {str(parts.split[fold.held][0]): set(parts.split[fold.dev].tolist()) for fold in folds}
    assert chosen_on == {"train": {"dev", "test"}, "dev": {"train", "test"}, "test": {"dev"}}
    _, single = topics(groups=1, splits=("train",))
    assert folds_of(single, 0) == []


@dataclass(frozen=True)
class MadeActivations(Activations):
    rows: dict

    def level(self, hook_name):
        return self.rows[hook_name]


def judged(levels_of_rows, parts, shuffles=0, random_draws=0, texts=None, allowed=None):
    """A study's evaluation of given rows, the embedding first."""
    levels = levels_of(len(levels_of_rows) - 1)
    rows = dict(zip([level.hook_name for level in levels], levels_of_rows, strict=True))
    made = MadeActivations(tuple(rows), len(parts.group), WIDTH, (), rows)
    plan = NullPlan.of(method_of("difference_of_means"), parts, shuffles, random_draws, 0)
    candidates = list(candidates_of(plan, made, levels, ("last",)))
    chosen = by_separation(candidates).candidate
    own = in_blocks(candidates) if allowed is None else allowed
    texts = ["same"] * len(parts.group) if texts is None else texts
    return left_out(plan, candidates, chosen, own, lambda i: made.level(levels[i].hook_name), texts, 200), candidates


def test_a_fold_chooses_without_what_it_holds():
    """Block 0 separates dev only in the second dev topic: with that one left out, block 1 is chosen."""
    rows, parts = topics(strength=0)
    second = (parts.group == 7) & parts.positive
    good, bad = rows.clone(), rows.clone()
    good[parts.positive, 0] += 1.0
    bad[parts.positive & (parts.split == "train"), 0] += 3.0
    bad[second, 0] += 50.0
    good[(parts.group == 6) & parts.positive, 0] += 50.0
    found, _ = judged([rows, bad, good], parts)
    places = dict(zip(range(10), found.places, strict=True))
    assert places[7] == 2
    assert found.auroc.groups == 10 and found.auroc.n == len(rows)
    fixed, _ = judged([rows, bad, good], parts, allowed=[1])
    assert set(fixed.places) == {1}


def test_the_place_of_a_null_is_chosen_on_dev_and_its_sign_too():
    dev = np.array([[0.6, 0.2, 0.5], [0.7, 0.5, 0.5]])
    everywhere = np.array([[0.9, 0.4, 0.55], [0.3, 0.8, 0.6]])
    drawn = [np.stack([dev[i], everywhere[i]]) for i in range(2)]
    assert read_at_best(drawn) == pytest.approx([0.3, 0.6, 0.55])


def test_covariance_directions_vary_as_the_rows_do():
    rows = torch.randn(300, WIDTH, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, 1, WIDTH)
    drawn = covariance_directions(rows + 100, 4000, 0)
    assert torch.allclose(drawn.norm(dim=1), torch.ones(4000), atol=1e-5)
    spread = (drawn.square().mean(0) * rows.square().sum() / rows.square().sum(0)).log()
    even = torch.full((WIDTH,), 1 / WIDTH) * rows.square().sum() / rows.square().sum(0)
    assert float(spread.abs().max()) < 0.5 < float(even.log().abs().max())


def test_exchanges_are_the_same_at_every_level_and_keep_pairs_together():
    rows, parts = topics()
    again = exchanges(parts, 3, 0)
    for one, other in zip(exchanges(parts, 3, 0), again, strict=True):
        assert (one.positive == other.positive).all()
        assert one.positive[one.partners[:, 0]].all() and not one.positive[one.partners[:, 1]].any()
        assert (np.sort(one.partners) == np.sort(parts.partners)).all() and (one.positive != parts.positive).any()
    assert directions_of(method_of("lda"), rows, exchanges(parts, 0, 0)).shape == (0, WIDTH)


def test_p_is_small_where_there_is_something_and_uniform_where_there_is_nothing():
    rows, parts = topics(strength=2.0)
    found, _ = judged([rows, rows, 0.5 * rows], parts, shuffles=39, random_draws=39)
    assert {name: null.p for name, null in found.nulls.items()} == dict.fromkeys(
        ("random", "covariance", "exchanged"), 1 / 40
    )
    low = 0
    for seed in range(30):
        rows, parts = topics(strength=0.0, groups=6, pairs=4, seed=seed, splits=("train",) * 3 + ("dev", "dev", "test"))
        null = judged([rows, rows, rows.flip(1)], parts, shuffles=9)[0].nulls["exchanged"]
        low += null.p <= 0.2
    assert 1 <= low <= 12, "a fifth of 30"


def test_of_equal_candidates_the_first_is_chosen_and_only_of_those_allowed():
    keys = [np.array([[0.9, 1.0], [0.5, 0.0]]), np.array([[0.9, 2.0], [0.7, 0.0]]), np.array([[0.9, 2.0], [0.8, 0.0]])]
    assert best_places(keys, [0, 1, 2]) == [1, 2]
    assert best_places(keys, [0]) == [0, 0]


def test_what_cannot_be_left_out_is_not_judged():
    rows, parts = topics(groups=3, splits=("train", "dev", "test"))
    one = replace(parts, group=np.zeros_like(parts.group))
    found, _ = judged([rows, rows], one, shuffles=3, random_draws=3)
    assert np.isnan(found.auroc.value) and not found.leads
    assert {name: null.p for name, null in found.nulls.items()} == {"random": 1.0, "covariance": 1.0}


def test_a_candidate_knows_how_much_a_class_spreads_on_train():
    rows, parts = topics()
    candidate = judged([rows, rows], parts)[1][1]
    assert isinstance(candidate, DirectionCandidate)
    train = parts.within("train")
    along = rows[train].double().numpy() @ candidate.vector.double().numpy()
    classes = [along[parts.positive[train] == kind] for kind in (True, False)]
    assert candidate.spread == pytest.approx(np.sqrt(np.mean([c.var() for c in classes])), rel=1e-5)

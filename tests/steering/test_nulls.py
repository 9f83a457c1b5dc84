"""Directions without meaning: where they are drawn from, how long they are, which block they choose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from direction.made import made

from latentmech.direction import Parts, method_of, unit
from latentmech.errors import BadInput
from latentmech.model import Scope
from latentmech.steering import EDIT_KINDS, Steerer, Stems, Strength
from latentmech.steering.layer import choosing, eligible, rises_of
from latentmech.steering.nulls import NullSource, stand_in

PAIRS, DIM = 40, 32
STEMS = Stems(prompts=[f"The {what} is" for what in "food book film house song team".split()],
              towards=["good"], away=["bad"])  # fmt: skip


def source(axis=3.0, noise=1.0, method="difference_of_means") -> NullSource:
    """Pairs that differ along the first axis; rows vary most along the second."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(PAIRS, DIM, generator=generator)
    base[:, 1] *= 20
    differences = noise * torch.randn(PAIRS, DIM, generator=generator)
    differences[:, 0] += axis
    rows = torch.cat([base + differences / 2, base - differences / 2])
    split = np.tile(np.where(np.arange(PAIRS) < 30, "train", "dev"), 2)
    partners = np.stack([np.arange(PAIRS), np.arange(PAIRS) + PAIRS], axis=1)
    parts = Parts(np.arange(2 * PAIRS) < PAIRS, split, np.tile(np.arange(PAIRS), 2), partners)
    return NullSource(rows=lambda name: rows, parts=parts, method=method_of(method), seed=0)


def own(tiny, nulls):
    """The direction of these rows, in the tiny model."""
    raw = nulls.method(nulls.parts.sample(nulls.rows(""), nulls.parts.within("train")))
    here = made(tiny)
    sizes = dict.fromkeys(here.vectors, float(raw.norm()))
    return replace(here, vectors=dict.fromkeys(here.vectors, unit(raw)), norms=sizes)


def test_random_directions_lie_where_the_training_texts_vary(tiny):
    nulls = source()
    drawn = torch.stack([one.vector for one in nulls.random(made(tiny), 200)])
    assert drawn.norm(dim=1).numpy() == pytest.approx(np.ones(200), abs=1e-5)
    shares = drawn.square().mean(0)
    assert shares[1] > 0.5
    round_ones = torch.stack([one.vector for one in nulls.isotropic(made(tiny), 200)]).square().mean(0)
    assert round_ones[1] == pytest.approx(1 / DIM, abs=0.02)
    rows = nulls.rows("").clone()
    rows[nulls.parts.within("train"), 1] = 0  # what varies in dev alone draws nothing
    train_only = replace(nulls, rows=lambda name: rows).random(made(tiny), 50)
    assert max(abs(float(one.vector[1])) for one in train_only) == 0


def test_a_direction_without_texts_takes_all_the_rows_there_are(tiny):
    bare = replace(source(), parts=None)
    assert len(bare.random(made(tiny), 3)) == 3 and bare.exchanged(made(tiny), 3) == []


def test_a_stand_in_has_the_same_length_in_every_unit_unless_it_is_shorter(tiny):
    here = made(tiny)
    other = unit(torch.arange(32.0))
    for unit_name in ("resid", "raw", "std"):
        strength = Strength(0.7, unit_name)
        assert strength.along(stand_in(here, other)) == strength.along(here)
        assert strength.along(stand_in(here, other, 0.25)) == pytest.approx(0.25 * strength.along(here))
    assert torch.equal(stand_in(here, other).vector, other) and stand_in(here, other).layer == here.layer


def test_exchanged_labels_lie_along_the_axis_and_are_as_short_as_the_method_makes_them(tiny):
    """Swapped within pairs, a clear direction comes out as itself or its opposite: only the length tells it apart."""
    nulls = source(axis=10.0, noise=0.1)
    here = own(tiny, nulls)
    found = nulls.exchanged(here, 30)
    cosines = np.array([one.cosine(here) for one in found])
    lengths = np.array([one.norm / here.norm for one in found])
    assert np.abs(cosines).mean() > 0.8 and (cosines < 0).any() and (cosines > 0).any()
    assert lengths.mean() < 0.25 and lengths.max() < 0.6
    assert Strength(1.0, "resid").along(found[0]) == pytest.approx(lengths[0] * here.resid_norm)
    empty = source(axis=0.0)
    same = [one.norm / own(tiny, empty).norm for one in empty.exchanged(own(tiny, empty), 30)]
    assert 0.8 < np.mean(same) < 1.25  # without a difference, exchanging changes nothing


def steerer(tiny, kind="addition") -> Steerer:
    return Steerer(model=tiny, kind=EDIT_KINDS[kind], scope=Scope(), gate_at=lambda name: None)


def test_directions_without_meaning_choose_their_blocks_by_the_same_rule(tiny):
    here, dev = made(tiny), STEMS(tiny, None, "test")
    doses = {strength: Strength(strength, "raw") for strength in (-3.0, 3.0)}

    def both_ways(place):
        return [stand_in(place, place.vector), stand_in(place, -place.vector)]

    chosen = choosing(steerer(tiny), here, both_ways, dev, doses)
    layers = {one.cosine(here.at(one.hook_name)) > 0: one.layer for one in chosen}
    rises = [rises_of(steerer(tiny), own, dev, lambda _: doses) for own in (here, -here)]
    wanted = [max(some, key=some.get) for some in rises]
    assert [layers[True], layers[False]] == wanted and wanted[0] != wanted[1]
    assert [one.layer for one in chosen] == sorted(one.layer for one in chosen)


def test_the_last_fifth_is_left_out_and_an_empty_rest_is_refused(tiny):
    here = made(tiny)
    assert [one.layer for one in eligible(here, 3)] == [0, 1, 2]
    assert [one.layer for one in eligible(here, 2)] == [0, 1]
    late = replace(here, vectors={here.hook_name: here.vector})
    with pytest.raises(BadInput, match="kindness has no vector below the last fifth; set layer=found"):
        eligible(late, 1)

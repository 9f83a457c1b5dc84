"""What each intervention promises, on numbers and through a model."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latentmech.direction import Direction, unit
from latentmech.errors import BadInput
from latentmech.model import intervening, pad, reading, tokenise
from latentmech.steering import (
    Ablation,
    Addition,
    AffineAblation,
    Clamp,
    Composed,
    Conditional,
    Plan,
    Rotation,
    ablation,
    threshold,
)


@pytest.fixture
def resid():
    return torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(1)) * 7 + 2


@pytest.fixture
def vector():
    return unit(torch.randn(32, generator=torch.Generator().manual_seed(2)))


def test_addition_moves_every_token(resid, vector):
    assert torch.equal(Addition(3 * vector)(resid), resid + 3 * vector)
    assert torch.equal(Addition(0 * vector)(resid), resid)


def test_ablation_leaves_nothing_along_the_direction(resid, vector):
    after = Ablation(vector)(resid)
    assert (after @ vector).abs().max() < 1e-5
    other = unit(torch.randn(32))
    other = unit(other - (other @ vector) * vector)
    assert torch.allclose(after @ other, resid @ other, atol=1e-4)


def test_affine_ablation_gives_every_token_the_means_projection(resid, vector):
    mean = torch.randn(32)
    assert torch.allclose(AffineAblation(vector, mean)(resid) @ vector, (mean @ vector).expand(3, 5), atol=1e-4)
    assert torch.allclose(Clamp(vector, 4.0)(resid) @ vector, torch.full((3, 5), 4.0), atol=1e-4)


def test_rotation_keeps_the_norm_and_turns_towards_the_vector(resid, vector):
    after = Rotation(9 * vector)(resid)
    assert torch.allclose(after.norm(dim=-1), resid.norm(dim=-1), rtol=1e-5)
    assert (after @ vector > resid @ vector).all()
    assert torch.equal(Rotation(0 * vector)(resid), resid)


@pytest.mark.parametrize("by", ["cosine", "projection"])
def test_a_gate_opens_above_its_threshold_only(resid, vector, by):
    along = resid @ vector
    value = along / resid.norm(dim=-1) if by == "cosine" else along
    cut = float(value.median())
    after = Conditional(Addition(vector), vector, cut, by)(resid)
    moved = (after != resid).any(-1)
    assert torch.equal(moved, value > cut) and 0 < moved.sum() < moved.numel()


def test_a_gate_knows_two_measures(vector):
    with pytest.raises(BadInput, match="expected cosine or projection"):
        Conditional(Addition(vector), vector, 0.0, "angle")


def test_composition_goes_in_the_stated_order(resid, vector):
    first_clamp = Composed([Clamp(vector, 1.0), Addition(vector)])(resid) @ vector
    last_clamp = Composed([Addition(vector), Clamp(vector, 1.0)])(resid) @ vector
    assert torch.allclose(first_clamp, torch.full((3, 5), 2.0), atol=1e-4)
    assert torch.allclose(last_clamp, torch.full((3, 5), 1.0), atol=1e-4)


def test_the_threshold_separates_what_can_be_separated():
    values = np.array([0.1, 0.2, 0.3, 0.7, 0.8])
    cut = threshold(values, np.array([False, False, False, True, True]))
    assert 0.3 < cut < 0.7


def along_every_write(model, texts, vector, plan):
    """Largest projection, relative to the stream, at every place where a block reads or writes."""
    ids = tokenise(model, texts, texts).ids
    batch = pad(ids, 2, "right", model.torch_device)
    names = [f"blocks.{i}.{point}" for i in range(model.n_layers) for point in ("hook_attn_out", "hook_mlp_out")]
    names += ["blocks.0.hook_resid_pre", *(f"blocks.{i}.hook_resid_post" for i in range(model.n_layers))]
    largest = {}

    def reader(name):
        def read(resid):
            real = resid[batch.mask.bool()][plan.scope.first :] if plan.scope.first else resid[batch.mask.bool()]
            largest[name] = float((real @ vector).abs().max() / real.norm(dim=-1).max())

        return read

    hooks = {name: reader(name) for name in names}
    with intervening(model, plan.edits, plan.scope) as run, reading(model, hooks) as look:
        run.aim.take(batch, batch.mask.sum(1))
        run.aim.at(0, batch.ids.shape[1])
        look(batch)
    return largest


def planted(model, vector, name="blocks.1.hook_resid_post"):
    levels = ["blocks.0.hook_resid_pre", *(f"blocks.{i}.hook_resid_post" for i in range(model.n_layers))]
    means = {level: 3.0 * (i + 1) * vector for i, level in enumerate(levels)}
    sizes = dict.fromkeys(levels, 1.0)
    return Direction(
        hook_name=name,
        vectors=dict.fromkeys(levels, vector),
        positive_means={level: -mean for level, mean in means.items()},
        negative_means=means,
        norms=sizes,
        resid_norms=sizes,
        card={"name": "planted"},
    )


def test_after_ablation_no_write_has_a_part_along_the_direction(tiny, vector):
    texts = ["hello world", "a longer sentence than that"]
    plan = ablation(planted(tiny, vector), tiny.n_layers, "plain")
    assert max(along_every_write(tiny, texts, vector, plan).values()) < 1e-5
    same = dict.fromkeys(plan.edits, lambda resid: resid + 0)
    assert max(along_every_write(tiny, texts, vector, Plan(same, plan.scope)).values()) > 0.05


def test_sink_aware_ablation_leaves_the_first_token_alone(tiny, vector):
    plan = ablation(planted(tiny, vector), tiny.n_layers, "sink_aware")
    assert plan.scope.first == 1
    assert max(along_every_write(tiny, ["hello world"], vector, plan).values()) < 1e-5


def test_affine_ablation_gives_every_block_the_negative_means_projection(tiny, vector):
    direction = planted(tiny, vector)
    plan = ablation(direction, tiny.n_layers, "affine")
    batch = pad(tokenise(tiny, ["hello world"], ["0"]).ids, 2, "right", tiny.torch_device)
    seen = {}
    hooks = {name: (lambda resid, name=name: seen.update({name: resid[0, 1:] @ vector})) for name in direction.vectors}
    with intervening(tiny, plan.edits, plan.scope) as run, reading(tiny, hooks) as look:
        run.aim.take(batch, batch.mask.sum(1))
        run.aim.at(0, batch.ids.shape[1])
        look(batch)
    for name, along in seen.items():
        wanted = float(direction.negative_means[name] @ vector)
        assert torch.allclose(along, torch.full_like(along, wanted), atol=1e-4), name


@pytest.mark.parametrize(
    ("names", "bare"),
    [
        (["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"], None),
        ([f"blocks.{layer}.hook_resid_pre" for layer in range(3)], None),
        (["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.2.hook_resid_post"], "block 2;"),
        (["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_mlp_out" for layer in range(3))], "blocks 1, 2;"),
    ],
)
def test_affine_ablation_takes_a_mean_wherever_a_block_reads(vector, names, bare):
    known = dict.fromkeys(names, vector)
    direction = replace(planted(SimpleNamespace(n_layers=3), vector), negative_means=known)
    if bare is None:
        assert set(names) <= set(ablation(direction, 3, "affine").edits)
    else:
        with pytest.raises(BadInput, match=f"there are none for {bare} set layers=all and site=resid_post"):
            ablation(direction, 3, "affine")
    assert ablation(direction, 3, "plain").edits


def test_an_unknown_ablation_is_refused(tiny, vector):
    with pytest.raises(BadInput, match="expected one of plain, sink_aware, affine"):
        ablation(planted(tiny, vector), 3, "gentle")

"""A direction as a value, as a file, and in the hands of a model that it was not found in."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from made import made

from latentmech.direction import Direction, layer_of, unit
from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Model, Tiny
from latentmech.tensors import save_tensors

ELSEWHERE = """
import sys
from latentmech.direction import Direction

direction = Direction.load(sys.argv[1])
print(direction.hook_name, direction.norm.hex(), direction.resid_norm, direction.card["model"]["identity"]["dtype"])
for tensors in (direction.vectors, direction.positive_means, direction.negative_means):
    for name, tensor in tensors.items():
        print(name, tensor.numpy().tobytes().hex())
"""


@pytest.fixture
def direction(tiny):
    return made(tiny)


def test_another_process_gets_the_same_bits(direction, tmp_path):
    direction.save(tmp_path / "d.safetensors")
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "d.safetensors")]
    seen = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert seen[0] == f"{direction.hook_name} {direction.norm.hex()} {direction.resid_norm} float32"
    tensors = (direction.vectors, direction.positive_means, direction.negative_means)
    expected = {f"{name} {t.numpy().tobytes().hex()}" for kind in tensors for name, t in kind.items()}
    assert set(seen[1:]) == expected and len(expected) == 12


def test_everything_is_saved(direction, tmp_path):
    direction.save(tmp_path / "d.safetensors")
    loaded = Direction.load(tmp_path / "d.safetensors")
    assert loaded.card == direction.card
    for numbers in ("norms", "resid_norms", "spreads"):
        assert getattr(loaded, numbers) == getattr(direction, numbers)
    assert (loaded.name, loaded.layer, loaded.level.label) == ("kindness", 1, "layer_01")


@pytest.mark.parametrize("place", [20, -5], ids=["head", "numbers"])
def test_a_flipped_bit_is_noticed(direction, tmp_path, place):
    direction.save(tmp_path / "d.safetensors")
    data = bytearray((tmp_path / "d.safetensors").read_bytes())
    data[place] ^= 1
    (tmp_path / "d.safetensors").write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        Direction.load(tmp_path / "d.safetensors")


def test_a_torn_card_is_noticed(direction, tmp_path):
    direction.save(tmp_path / "d.safetensors")
    card = tmp_path / "d.json"
    card.write_bytes(card.read_bytes()[:20])
    with pytest.raises(IntegrityError, match=r"d.json is damaged"):
        Direction.load(tmp_path / "d.safetensors")


def test_a_file_of_another_kind_is_refused(tmp_path):
    save_tensors(tmp_path / "p.safetensors", {"weight": torch.ones(2, 3)}, {"classes": ["a", "b"]})
    with pytest.raises(IntegrityError, match=r"is no direction \(format None\); expected latentmech.direction/1"):
        Direction.load(tmp_path / "p.safetensors")


def test_the_model_it_was_found_in_has_no_objection(direction, tiny):
    assert direction.check(tiny) == ()
    assert direction.check(replace(tiny)) == (), "a handle without weights will do"


def test_other_weights_are_refused_with_both_sides_named(direction, tiny):
    other = Model(name="other", source=Tiny(), random_init=True)
    theirs, ours = tiny.identity["weights"], other.identity["weights"]
    with pytest.raises(IntegrityError) as error:
        direction.check(other)
    message = str(error.value)
    assert "kindness was found in tiny, not in other" in message
    assert f"weights {theirs[:12]}… there, {str(ours)[:12]}… here" in message
    assert "allow_foreign=true" in message and "tokenizer" not in message
    (note,) = direction.check(other, allow_foreign=True)
    assert "found in tiny, used in other" in note and theirs[:12] in note


def test_the_same_weights_processed_otherwise_are_refused(direction, tiny):
    folded = replace(tiny, compatibility_mode=True)
    with pytest.raises(IntegrityError, match="compatibility_mode False there, True here"):
        direction.check(folded)


def test_a_direction_of_unknown_origin_is_foreign_everywhere(direction, tiny):
    unknown = replace(direction, card={"name": "kindness"})
    with pytest.raises(IntegrityError, match="found in an unknown model, not in tiny"):
        unknown.check(tiny)
    assert unknown.check(tiny, allow_foreign=True)


def narrow(direction):
    return replace(direction, vectors={direction.hook_name: torch.ones(7)}, positive_means={}, negative_means={})


def test_another_width_is_refused_even_where_foreign_is_allowed(direction, tiny):
    with pytest.raises(BadInput, match=f"kindness has 7 dimensions, tiny has {tiny.d_model}"):
        narrow(direction).check(tiny, allow_foreign=True)


def test_a_hook_point_that_the_model_lacks_is_refused(direction, tiny):
    name = "blocks.3.hook_resid_post"
    deep = replace(direction, hook_name=name, vectors={name: direction.vector})
    with pytest.raises(BadInput, match=rf"kindness belongs to {name}, tiny has 3 blocks"):
        deep.check(tiny, allow_foreign=True)


def test_at_another_hook_point_everything_is_that_of_the_hook_point(direction):
    embed = direction.at("blocks.0.hook_resid_pre")
    assert embed.layer is None and embed.level.label == "embed"
    assert torch.equal(embed.vector, direction.vectors["blocks.0.hook_resid_pre"])
    assert not torch.equal(embed.vector, direction.vector)
    assert (embed.norm, embed.resid_norm) == (direction.norms[embed.hook_name], 10.0)
    with pytest.raises(BadInput, match=r"no vector at blocks.9.hook_resid_post; there are blocks.0.hook_resid_pre"):
        direction.at("blocks.9.hook_resid_post")


SCORES = {"layer": 1, "selection": "separation on dev", "scores": {"dev_auroc": 0.9}, "projections": {"std": 0.5}}


def test_at_another_hook_point_the_card_claims_nothing_of_the_first(direction, tmp_path):
    chosen = replace(direction, card={**direction.card, **SCORES, "position": "last", "site": "resid_post"})
    moved = chosen.at("blocks.2.hook_resid_post")
    assert not {"layer", "selection", "scores", "projections"} & moved.card.keys()
    assert moved.card["found"] == {"hook_name": chosen.hook_name, **SCORES}
    assert moved.card["position"] == "last", "every level's vector was found there"
    moved.save(tmp_path / "d.safetensors")
    loaded = Direction.load(tmp_path / "d.safetensors")
    assert (loaded.hook_name, loaded.card["found"]["layer"]) == ("blocks.2.hook_resid_post", 1)
    again = moved.at("blocks.0.hook_resid_pre")
    assert again.card["found"] == moved.card["found"], "what was found is what was found first"
    assert again.at(chosen.hook_name).card == chosen.card
    assert chosen.at(chosen.hook_name) is chosen


def test_spreads_belong_to_their_level_and_may_be_unknown(direction, tmp_path):
    assert direction.spread == 2.5 and direction.at("blocks.0.hook_resid_pre").spread == 0.5
    tensors, card = direction.packed()
    save_tensors(tmp_path / "old.safetensors", tensors, {k: v for k, v in card.items() if k != "spreads"})
    old = Direction.load(tmp_path / "old.safetensors")
    assert old.spreads == {} and math.isnan(old.spread)


def test_directions_are_compared_by_identity(direction, tmp_path):
    direction.save(tmp_path / "d.safetensors")
    loaded = Direction.load(tmp_path / "d.safetensors")
    assert direction == direction and direction != loaded and len({direction, loaded}) == 2


def test_the_opposite_lies_on_the_other_side(direction):
    lies = {"negative": -1.0, "positive": 3.0, "std": 0.5}
    opposite = -replace(direction, card={**direction.card, "projections": lies})
    assert opposite.card["projections"] == {"negative": -3.0, "positive": 1.0, "std": 0.5}


def test_the_opposite(direction):
    opposite = -direction
    assert opposite.cosine(direction) == pytest.approx(-1)
    assert opposite.norm == direction.norm and opposite.name == "not kindness"
    for name, vector in direction.vectors.items():
        assert torch.equal(opposite.vectors[name], -vector)
        assert torch.equal(opposite.positive_means[name], direction.negative_means[name])
        assert torch.equal(opposite.negative_means[name], direction.positive_means[name])


def test_cosine(direction, tiny):
    assert direction.cosine(direction) == pytest.approx(1)
    other = made(tiny, seed=1)
    expected = torch.cosine_similarity(direction.vector, other.vector, dim=0)
    assert direction.cosine(other) == pytest.approx(float(expected), abs=1e-6)
    assert direction.cosine(other) != pytest.approx(direction.at("blocks.0.hook_resid_post").cosine(other), abs=1e-3)
    with pytest.raises(BadInput, match=f"{len(direction.vector)} dimensions, kindness has 7"):
        direction.cosine(narrow(direction))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_project_and_project_out(direction, dtype):
    resid = torch.randn(2, 5, len(direction.vector), generator=torch.Generator().manual_seed(1)).to(dtype)
    along = direction.project(resid)
    assert along.shape == (2, 5) and along.dtype == dtype
    tolerance = {"atol": 0.1 if dtype == torch.bfloat16 else 1e-5, "rtol": 0}
    torch.testing.assert_close(along, (resid * direction.vector.to(dtype)).sum(-1), **tolerance)
    rest = direction.project_out(resid)
    torch.testing.assert_close(direction.project(rest), torch.zeros_like(along), **tolerance)
    torch.testing.assert_close(rest + along.unsqueeze(-1) * direction.vector.to(dtype), resid, **tolerance)


def test_what_was_not_measured_is_said(direction):
    with pytest.raises(BadInput, match=r"kindness does not know the residual norm at blocks.1.hook_resid_post"):
        _ = replace(direction, resid_norms={}).resid_norm


def test_unit_vectors_and_layers():
    assert unit(torch.full((4,), 1e-30)).tolist() == [0.5] * 4
    assert unit(torch.zeros(3)).tolist() == [0] * 3
    assert [layer_of(f"blocks.{n}") for n in ("0.hook_resid_pre", "0.hook_resid_post", "11.hook_mlp_out")] == [
        None,
        0,
        11,
    ]

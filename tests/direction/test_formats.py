"""What other tools read and write, checked by their own readers' rules and back again."""

import csv
import json
import re
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from gguf import GGUFReader, GGUFWriter
from made import made
from safetensors.torch import load_file

from latentmech.direction import unit
from latentmech.direction.formats import (
    export_gguf,
    export_lm_eval,
    export_steering_vectors,
    import_gguf,
    import_steering_vectors,
    lm_eval,
    steering_vectors,
)
from latentmech.errors import BadInput, IntegrityError
from latentmech.storage import file_sha256

CHOSEN = "blocks.1.hook_resid_post"
LAST = "blocks.2.hook_resid_post"


@pytest.fixture
def direction(tiny):
    return made(tiny)


def raw(direction, hook_name=CHOSEN):
    """The vector in activation units, as float32."""
    return (direction.vectors[hook_name].double() * direction.norms[hook_name]).float()


def foreign(path, architecture="controlvector", **tensors):
    """A GGUF file as repeng writes it."""
    writer = GGUFWriter(path, architecture)
    writer.add_string("controlvector.model_hint", "llama")
    writer.add_uint32("controlvector.layer_count", len(tensors))
    for name, tensor in tensors.items():
        writer.add_tensor(name.replace("_", "."), tensor)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()


def test_a_control_vector_is_what_llama_cpp_expects(direction, tmp_path):
    digest = export_gguf(direction, tmp_path / "d.gguf", levels="all")
    assert digest == file_sha256(tmp_path / "d.gguf")
    reader = GGUFReader(tmp_path / "d.gguf")
    assert reader.get_field("general.architecture").contents() == "controlvector"
    assert reader.get_field("controlvector.model_hint").contents() == "tiny"
    assert reader.get_field("controlvector.layer_count").contents() == 2
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert set(tensors) == {"direction.1", "direction.2"}, "no embedding, no block 0: llama.cpp refuses direction.0"
    for block, name in ((1, CHOSEN), (2, LAST)):
        tensor = tensors[f"direction.{block}"]
        assert tensor.tensor_type.name == "F32" and tensor.data.shape == (32,)
        assert (tensor.data == raw(direction, name).numpy()).all(), "bit for bit, at the raw length"


def test_block_n_is_our_block_n(direction, tiny, tmp_path):
    """repeng adds direction.N to what `layers[N]` of the transformers model returns; so does its twin here."""
    export_gguf(direction, tmp_path / "d.gguf")
    (tensor,) = GGUFReader(tmp_path / "d.gguf").tensors
    added = torch.from_numpy(np.array(tensor.data))
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode(), tiny.bridge.hooks(fwd_hooks=[(CHOSEN, lambda resid, hook: resid + added)]):
        ours = tiny.bridge(ids)
    assert theirs(tiny, ids, {}).sub(ours).abs().max() > 1e-3, "it does something"
    block = int(tensor.name.removeprefix("direction."))
    torch.testing.assert_close(theirs(tiny, ids, {block: added}), ours, atol=1e-5, rtol=1e-5)
    assert theirs(tiny, ids, {block + 1: added}).sub(ours).abs().max() > 1e-3, "one block off shows"


def theirs(tiny, ids, vectors):
    """Logits of the bare transformers model with a hook behind whole blocks."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny.checkpoint.folder, dtype=torch.float32)
    for block, vector in vectors.items():
        model.base_model.h[block].register_forward_hook(lambda m, i, out: add(out, vector))
    with torch.inference_mode():
        return model(ids).logits


def add(out, vector):
    return (out[0] + vector, *out[1:]) if isinstance(out, tuple) else out + vector


@pytest.mark.parametrize("levels", ["chosen", "all"])
@pytest.mark.parametrize(
    ("write", "read", "name"),
    [(export_gguf, import_gguf, "d.gguf"), (export_steering_vectors, import_steering_vectors, "d.safetensors")],
)
def test_there_and_back(direction, tmp_path, levels, write, read, name):
    write(direction, tmp_path / name, levels=levels)
    back = read(tmp_path / name)
    assert back.hook_name == CHOSEN, "the card remembers which block was chosen"
    assert set(back.vectors) >= ({CHOSEN} if levels == "chosen" else {CHOSEN, LAST})
    assert (LAST in back.vectors) == (levels == "all")
    for hook_name, vector in back.vectors.items():
        assert torch.equal(vector, unit(raw(direction, hook_name))), "bit for bit what the file holds, at length 1"
        torch.testing.assert_close(vector, direction.vectors[hook_name], atol=0, rtol=2**-22)
        assert back.norms[hook_name] == pytest.approx(direction.norms[hook_name], rel=1e-6)
    assert back.card["imported"] == {"file": name, "sha256": file_sha256(tmp_path / name)}
    assert back.card["model"] == direction.card["model"], "so that check() knows the model"
    assert (back.positive_means, back.negative_means, back.resid_norms) == ({}, {}, {})


def test_an_imported_direction_can_be_saved(direction, tmp_path):
    export_gguf(direction, tmp_path / "d.gguf")
    back = import_gguf(tmp_path / "d.gguf")
    back.save(tmp_path / "d.safetensors")
    assert torch.equal(type(back).load(tmp_path / "d.safetensors").vector, back.vector)


def test_a_control_vector_of_repeng_is_read(tmp_path):
    rows = {f"direction_{n}": np.random.default_rng(n).normal(size=8).astype(np.float32) for n in (3, 1, 2)}
    rows["direction_2"][:] = 0
    foreign(tmp_path / "happy.gguf", **rows)
    with pytest.raises(BadInput, match="has vectors for blocks 1, 3; layer=None is none of them"):
        import_gguf(tmp_path / "happy.gguf")
    with pytest.raises(BadInput, match="blocks 1, 3; layer=2 is none of them"):
        import_gguf(tmp_path / "happy.gguf", layer=2)
    back = import_gguf(tmp_path / "happy.gguf", layer=3)
    assert (back.name, back.layer, back.card["model"]) == ("happy", 3, {"name": "llama"})
    assert torch.equal(back.vector, unit(torch.from_numpy(rows["direction_3"])))
    assert back.norm == pytest.approx(float(np.linalg.norm(rows["direction_3"])), rel=1e-6)


def test_one_vector_needs_no_choice(tmp_path):
    foreign(tmp_path / "one.gguf", direction_4=np.ones(8, dtype=np.float16))
    assert import_gguf(tmp_path / "one.gguf").layer == 4


@pytest.mark.parametrize(
    ("architecture", "tensors", "message"),
    [
        ("llama", {"direction_1": np.ones(8, np.float32)}, "general.architecture=llama; expected controlvector"),
        ("controlvector", {"token_embd": np.ones(8, np.float32)}, r"token.embd \(F32 \[8\]\); expected direction.N"),
        ("controlvector", {"direction_1": np.ones((2, 8), np.float32)}, r"direction.1 \(F32 \[2, 8\]\)"),
        (
            "controlvector",
            {"direction_1": np.ones(8, np.float32), "direction_2": np.ones(9, np.float32)},
            "vectors of different widths",
        ),
    ],
)
def test_what_is_no_control_vector_is_refused(tmp_path, architecture, tensors, message):
    foreign(tmp_path / "x.gguf", architecture, **tensors)
    with pytest.raises(BadInput, match=message):
        import_gguf(tmp_path / "x.gguf", layer=1)


def test_a_torn_or_absent_file_is_told_in_one_line(direction, tmp_path):
    export_gguf(direction, tmp_path / "d.gguf")
    whole = (tmp_path / "d.gguf").read_bytes()
    for end in (3, 40, len(whole) // 2, len(whole) - 40):
        (tmp_path / "torn.gguf").write_bytes(whole[:end])
        with pytest.raises(IntegrityError, match=r"torn.gguf cannot be read as GGUF \(.*\); export it again"):
            import_gguf(tmp_path / "torn.gguf")
    with pytest.raises(BadInput, match=r"absent.gguf is not there"):
        import_gguf(tmp_path / "absent.gguf")


def test_what_a_control_vector_has_no_room_for_is_refused(direction, tmp_path):
    with pytest.raises(BadInput, match=r"kindness is at block 0, the format begins at 1; choose another with at\(\)"):
        export_gguf(direction.at("blocks.0.hook_resid_post"), tmp_path / "d.gguf")
    for write in (export_gguf, export_steering_vectors):
        with pytest.raises(BadInput, match=r"blocks.0.hook_resid_pre; only a block's output"):
            write(direction.at("blocks.0.hook_resid_pre"), tmp_path / "d")
    middle = "blocks.1.hook_attn_out"
    attention = replace(direction, hook_name=middle, vectors={middle: direction.vector})
    with pytest.raises(BadInput, match=r"blocks.1.hook_attn_out; only a block's output"):
        export_gguf(attention, tmp_path / "d.gguf")
    assert not list(tmp_path.iterdir())


def snippet(module, indent="    "):
    """The indented Python of a docstring, from its first import on."""
    lines = [line.removeprefix(indent) for line in module.__doc__.splitlines() if line.startswith(indent)]
    begin = next(i for i, line in enumerate(lines) if re.match("import|from", line))
    return "\n".join(lines[begin:])


def test_the_snippet_makes_a_steering_vector(direction, tmp_path, monkeypatch):
    class SteeringVector:
        def __init__(self, layer_activations, layer_type="decoder_block"):
            self.layer_activations, self.layer_type = layer_activations, layer_type

    package = types.ModuleType("steering_vectors")
    package.SteeringVector = SteeringVector
    monkeypatch.setitem(sys.modules, "steering_vectors", package)
    monkeypatch.chdir(tmp_path)
    export_steering_vectors(direction, "refusal.safetensors", levels="all")
    names = {}
    exec(snippet(steering_vectors), names)
    vector = names["vector"]
    assert vector.layer_type == "decoder_block" and set(vector.layer_activations) == {0, 1, 2}
    assert torch.equal(vector.layer_activations[1], raw(direction))


def test_other_safetensors_are_no_steering_vectors(direction, tmp_path):
    direction.save(tmp_path / "d.safetensors")
    with pytest.raises(BadInput, match=r"d.safetensors holds .*; expected layer_activations.<block>"):
        import_steering_vectors(tmp_path / "d.safetensors")
    with pytest.raises(BadInput, match=r"absent.safetensors is not there"):
        import_steering_vectors(tmp_path / "absent.safetensors")


def test_lm_eval_gets_a_csv_and_an_autoencoder_with_one_feature(direction, tmp_path):
    path = export_lm_eval(direction, tmp_path / "steer", 2.5, blocks="h")
    (row,) = csv.DictReader(path.open())
    assert (row["loader"], row["action"], row["feature_index"]) == ("sparsify", "clamp", "0")
    assert (row["hookpoint"], float(row["steering_coefficient"])) == ("h.1", 2.5)
    folder = tmp_path / "steer" / "h.1"
    assert str(folder) == f"{row['sparse_model']}/{row['hookpoint']}", "where sparsify looks"
    config = json.loads((folder / "cfg.json").read_text())
    assert (config["d_in"], config["num_latents"], config["k"], config["activation"]) == (32, 1, 1, "topk")
    tensors = load_file(folder / "sae.safetensors")
    assert {name: tuple(t.shape) for name, t in tensors.items()} == {
        "encoder.weight": (1, 32),
        "encoder.bias": (1,),
        "W_dec": (1, 32),
        "b_dec": (32,),
    }
    torch.testing.assert_close(tensors["W_dec"][0], direction.vector)
    assert not tensors["b_dec"].any()


def test_lm_eval_at_every_block(direction, tmp_path):
    path = export_lm_eval(direction, tmp_path, 0.0, levels="all")
    assert [row["hookpoint"] for row in csv.DictReader(path.open())] == ["layers.0", "layers.1", "layers.2"]


def test_the_snippet_makes_the_file_that_lm_eval_wants_to_add(direction, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export_steering_vectors(direction, "refusal.safetensors")
    exec(snippet(lm_eval), {})
    (hookpoint, what), *rest = torch.load("steer.pt", weights_only=True).items()
    assert not rest and hookpoint == "layers.1"
    assert (what["action"], what["steering_coefficient"]) == ("add", 1.0)
    assert torch.equal(what["steering_vector"], raw(direction))

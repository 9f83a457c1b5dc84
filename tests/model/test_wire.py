"""What travels to a worker and back is plain values, and comes out as it went in; code does not travel."""

import json

import pytest
import torch

from latentmech.errors import BadInput
from latentmech.model.edits import Ablation, Addition, AffineAblation, Clamp, Composed, Conditional, Rotation, rebuilt
from latentmech.model.vllm.wire import BYTES, edit_in, edit_out, packed, unpacked

D = torch.arange(1.0, 5.0) / torch.arange(1.0, 5.0).norm()
G = torch.tensor([0.5, -0.5, 0.5, -0.5])
EDITS = {
    "addition": Addition(3 * D),
    "addition in bfloat16": Addition((3 * D).bfloat16()),
    "clamp": Clamp(D, 2.5),
    "ablation": Ablation(D),
    "affine": AffineAblation(D, G),
    "rotation": Rotation(G),
    "gated": Conditional(Addition(G), D, 0.1),
    "gated by projection": Conditional(Clamp(D, -1.0), G, -0.5, "projection"),
    "composed": Composed((Addition(D), Ablation(G))),
    "nested": Conditional(Composed([Rotation(D), Conditional(Addition(G), G, 0.0)]), D, 0.2),
}


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (0, 7), (1, 0, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"])
def test_a_tensor_comes_back_as_it_went(dtype, shape):
    tensor = (torch.arange(torch.Size(shape).numel()) % 7 - 2).reshape(shape).to(getattr(torch, dtype))
    back = unpacked(packed(tensor))
    assert back.dtype == tensor.dtype and back.shape == tensor.shape and torch.equal(back, tensor)


def test_a_tensor_that_lies_in_pieces_comes_back_too():
    tensor = torch.arange(24.0).reshape(4, 6)[::2, 1::2].T.requires_grad_()
    assert torch.equal(unpacked(packed(tensor)), tensor)


def test_what_comes_back_is_on_bytes_of_its_own():
    tensor = torch.zeros(3)
    said = packed(tensor)
    back = unpacked({**said, BYTES: bytes(said[BYTES])})
    back += 1
    assert torch.equal(tensor, torch.zeros(3))


def as_json(said):
    """What a message may hold, with bytes named as numbers."""
    return json.loads(json.dumps(said, default=lambda array: array.tolist()))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_comes_back_and_does_the_same(name):
    edit, resid = EDITS[name], torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    said = edit_out(edit)
    assert torch.equal(edit_in(said)(resid), edit(resid)) and not torch.equal(edit(resid), resid)
    # A message of another process turns tuples into lists and memory into bytes; neither changes what it says.
    back = rebuilt(
        as_json(said), lambda one: unpacked(one | {BYTES: bytes(one[BYTES])}), lambda one: BYTES in dict_of(one)
    )
    assert type(back) is type(edit) and torch.equal(back(resid), edit(resid))


def dict_of(value):
    return value if isinstance(value, dict) else {}


@pytest.mark.parametrize(
    "edit", [lambda resid: resid, torch.nn.Identity(), Conditional(lambda resid: 2 * resid, D, 0.0)]
)
def test_code_is_refused_in_one_line(edit):
    with pytest.raises(
        BadInput, match=r"is code, which no engine but transformers runs; set model.engine=transformers"
    ):
        edit_out(edit)


def test_a_name_that_is_no_edit_is_not_looked_up():
    with pytest.raises(KeyError):
        edit_in({"is": "eval"})

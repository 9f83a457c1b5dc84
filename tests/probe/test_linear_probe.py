"""The probe as a value: saved, loaded, refused when damaged."""

import pytest
import torch

from latentmech.errors import BadInput, IntegrityError
from latentmech.probe import LinearProbe


@pytest.fixture
def probe():
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    return LinearProbe(weight, torch.tensor([0.1, 0.2, 0.3]), ("a", "b", "c"), "blocks.2.hook_resid_post", 2)


def test_logits_and_predictions(probe):
    resid = torch.randn(2, 4, 5)
    expected = torch.einsum("bpd,cd->bpc", resid, probe.weight) + probe.bias
    torch.testing.assert_close(probe.logits(resid), expected)
    assert (probe.predict(resid) == expected.argmax(-1)).all()


def test_a_direction_raises_its_class_over_the_others(probe):
    direction = probe.direction("b")
    change = probe.logits(direction) - probe.logits(torch.zeros(5))
    assert direction.norm().item() == pytest.approx(1)
    assert change[1] > change[[0, 2]].mean()
    with pytest.raises(BadInput, match="it knows a, b, c"):
        probe.direction("d")


def test_what_is_loaded_is_what_was_saved(probe, tmp_path):
    probe.save(tmp_path / "p.safetensors")
    loaded = LinearProbe.load(tmp_path / "p.safetensors")
    assert torch.equal(loaded.weight, probe.weight) and torch.equal(loaded.bias, probe.bias)
    assert (loaded.classes, loaded.hook_name, loaded.layer) == (probe.classes, probe.hook_name, probe.layer)


def test_a_flipped_bit_is_noticed(probe, tmp_path):
    path = tmp_path / "p.safetensors"
    probe.save(path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        LinearProbe.load(path)

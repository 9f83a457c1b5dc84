"""Linear layers in oneDNN give what they give in torch's own product, wherever it may be used, and are given back."""

import pytest
import torch
from torch import nn

from latentmech.model import products
from latentmech.model.products import onednn_is_quicker, product, quick_products


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(products, "onednn_is_quicker", lambda: True)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(48, 96, bias=False), nn.GELU(), nn.Linear(96, 32))


@pytest.mark.parametrize("shape", [(48,), (1, 48), (7, 48), (3, 5, 48), (0, 48)])
def test_it_is_the_same_product(shape):
    layers, rows = net(), torch.randn(*shape)
    with torch.inference_mode():
        plain = layers(rows)
        with quick_products(layers):
            assert [vars(layer).get("forward") is not None for layer in layers] == [True, False, True]
            torch.testing.assert_close(layers(rows), plain, rtol=1e-5, atol=1e-6)
            strided = torch.randn(4, 9, 48)[:, -1:]
            torch.testing.assert_close(product(layers[0], strided), strided @ layers[0].weight.T, rtol=1e-5, atol=1e-6)
    assert not any("forward" in vars(layer) for layer in layers)


def test_weights_set_while_it_is_open_count():
    layers, rows = net(), torch.randn(2, 48)
    with torch.inference_mode(), quick_products(layers):
        layers[2].weight.zero_()
        torch.testing.assert_close(layers(rows), layers[2].bias.expand(2, -1))


def test_gradients_and_other_precisions_take_torchs_own_road():
    layers = net()
    with quick_products(layers):
        layers(torch.randn(2, 48)).sum().backward()
        assert layers[0].weight.grad is not None
        half = layers.bfloat16()
        with torch.inference_mode():
            assert half(torch.randn(2, 48, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_layers_of_others_stay_as_they_are():
    class Own(nn.Linear):
        pass

    layers = nn.Sequential(Own(4, 4), nn.Linear(4, 4))
    layers[1].forward = lambda rows: rows + 1
    with quick_products(layers):
        assert "forward" not in vars(layers[0])
        assert torch.equal(layers[1](torch.ones(4)), torch.full((4,), 2.0))
    assert torch.equal(layers[1](torch.ones(4)), torch.full((4,), 2.0))


def test_the_model_is_given_back_after_an_error():
    layers = net()
    with pytest.raises(ZeroDivisionError), quick_products(layers):
        raise ZeroDivisionError
    assert not any("forward" in vars(layer) for layer in layers)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False),
        ({"cpu_name": "Intel(R) Xeon(R)", "avx512_f": True}, False),
        ({"avx512_f": True}, False),
        ({}, False),
    ],
)
def test_the_processors_name_decides(monkeypatch, seen, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: seen, raising=False)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert onednn_is_quicker.__wrapped__() is expected

"""The cache with room holds what transformers' own holds, and copies it only when the room is used up."""

import pytest
import torch
from architectures import write_checkpoint
from transformers.cache_utils import DynamicLayer

from latentmech.model import Local, Model
from latentmech.model.kv_cache import RoomyLayer, new_cache


def pieces(*widths):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 2, 3, width, 4, generator=generator) for width in widths]


@pytest.mark.parametrize("room", [0, 2, 10])
def test_it_holds_what_the_growing_layer_holds(room):
    roomy, growing = RoomyLayer(room), DynamicLayer()
    for keys, values in pieces(5, 1, 1, 2, 1):
        for found, expected in zip(roomy.update(keys, values), growing.update(keys, values), strict=True):
            assert torch.equal(found, expected)
        assert roomy.get_seq_length() == growing.get_seq_length()


def test_rows_can_be_taken_out_in_between():
    roomy, growing, rows = RoomyLayer(8), DynamicLayer(), torch.tensor([1, 0, 1])
    (first_keys, first_values), (keys, values) = pieces(5, 1)
    for layer in (roomy, growing):
        layer.update(first_keys, first_values)
        layer.batch_select_indices(rows)
        layer.update(keys[rows], values[rows])
    assert torch.equal(roomy.keys, growing.keys) and torch.equal(roomy.values, growing.values)


def test_what_was_held_stays_where_it_is_while_there_is_room():
    roomy = RoomyLayer(2)
    places = [roomy.update(keys, values)[0].data_ptr() for keys, values in pieces(5, 1, 1, 1)]
    assert places[0] == places[1] == places[2] != places[3]


def test_sliding_windows_stay_as_they_are(tmp_path):
    model = Model(name="gemma3", source=Local(path=str(write_checkpoint(tmp_path, "gemma3"))))
    kinds = {type(layer).__name__ for layer in new_cache(model, 3).layers}
    assert "DynamicSlidingWindowLayer" in kinds and "DynamicLayer" not in kinds

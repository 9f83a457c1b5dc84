"""Keys and values of the tokens before, kept between the steps of a generation.

Imported where it is used: the base class takes most of a second to load.
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer

from latentmech.model.handle import Model

if TYPE_CHECKING:
    from transformers import DynamicCache


class RoomyLayer(DynamicLayer):
    """A layer of the cache with room for tokens to come: transformers' own copies all it holds at every step.

    Args:
        room: for how many tokens more it makes room whenever it has none left.
    """

    def __init__(self, room: int):
        super().__init__()
        self._room = room
        self._buffers: dict[str, Tensor] = {}

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Put new keys and values behind those held; returns all of them, as views of what it keeps."""
        del args, kwargs
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys = self._longer("keys", self.keys, key_states)
        values = self._longer("values", self.values, value_states)
        self.keys, self.values = keys, values
        return keys, values

    def _longer(self, name: str, held: Tensor | None, new: Tensor) -> Tensor:
        if held is None or not held.numel():
            held = new[..., :0, :]
        begin, end = held.shape[-2], held.shape[-2] + new.shape[-2]
        buffer = self._buffers.get(name)
        if buffer is None or buffer.data_ptr() != held.data_ptr() or buffer.shape[-2] < end:
            buffer = held.new_empty((*held.shape[:-2], end + self._room, held.shape[-1]))
            buffer[..., :begin, :] = held
            self._buffers[name] = buffer
        buffer[..., begin:end, :] = new
        return buffer[..., :end, :]


def new_cache(model: Model, room: int = 0) -> "DynamicCache":
    """An empty KV cache, with sliding windows where the model has them.

    Args:
        room: how many tokens will be generated behind the prompt.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    cache.layers = [RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache

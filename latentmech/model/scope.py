"""Which tokens an edit reaches: the same with and without a KV cache, alone and in a batch, padded left or right."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.model.batching import Batch
from latentmech.model.settings import ScopeSettings

Edit = Callable[[Float[Tensor, "batch pos d_model"]], Float[Tensor, "batch pos d_model"]]
"""A pure function of the residual stream: it returns a new tensor and never writes into the one it is given."""


@dataclass(frozen=True, kw_only=True)
class Scope(ScopeSettings):
    """The tokens that are edited: the fields of `ScopeSettings` as masks."""

    def of(self, batch: Batch, n_prompt: Int[Tensor, " batch"]) -> Bool[Tensor, "batch pos"]:
        """The tokens of a batch that are edited.

        Args:
            n_prompt: length of each text's prompt; what follows counts as generated.
        """
        at = text_positions(batch)
        inside = batch.mask.bool() & (at >= self.first)
        if self.last is not None:
            inside &= at < self.last
        is_prompt = at < n_prompt[:, None]
        return inside & ((is_prompt & self.prompt) | (~is_prompt & self.generated))


def text_positions(batch: Batch) -> Int[Tensor, "batch pos"]:
    """Position of every token in its own text; padding on the left gets 0."""
    at = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    return (at[None] - batch.shift[:, None]).clamp(min=0)


class Aim:
    """Which tokens of the running forward are edited. Hooks are set once, and look here at every forward."""

    def __init__(self, scope: Scope):
        self.scope = scope
        self._active = torch.empty(0, 0, dtype=torch.bool)
        self._every: list[bool] = []
        self._some: list[bool] = []
        self._now: Tensor | None = None
        self._any = False

    def take(self, batch: Batch, n_prompt: Int[Tensor, " batch"]) -> None:
        """Work out, once for a batch, what its forwards will ask for."""
        self._active = self.scope.of(batch, n_prompt)
        self._every, self._some = self._active.all(0).tolist(), self._active.any(0).tolist()

    def at(self, begin: int, end: int) -> None:
        """The next forward runs over columns `begin` to `end` of the batch."""
        self._any = any(self._some[begin:end])
        self._now = None if all(self._every[begin:end]) else self._active[:, begin:end, None]

    def away(self) -> None:
        """The next forward edits nothing."""
        self._any = False

    def edited(self, name: str, edit: Edit, resid: Tensor) -> Tensor | None:
        """The residual stream with the active tokens edited; None where there are none, and then nothing is computed.

        Raises:
            BadInput: the edit returned another shape or dtype.
        """
        if not self._any:
            return None
        new = edit(resid)
        if new.shape != resid.shape or new.dtype != resid.dtype:
            raise BadInput(
                f"the edit at {name} returned {list(new.shape)} in {new.dtype}; "
                f"expected {list(resid.shape)} in {resid.dtype}, as it was given"
            )
        return new if self._now is None else torch.where(self._now.to(resid.device), new, resid)

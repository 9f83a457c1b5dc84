"""`Activations`: residual streams as a value, one level at a time, straight from the disk."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from latentmech.errors import IntegrityError

ROW = "row"  # the tensor in every shard that says which rows it holds


@dataclass(frozen=True)
class Activations:
    """Activations of `n_rows` words (or texts) at several hook points.

    Shards keep texts of one length together; a level is put back into the order of the examples when read.

    Attributes:
        hook_names: the levels, in order of depth.
        n_rows: words (or texts).
        d_model: width.
        shards: safetensors files; each maps a hook name to `[row, d_model]` and `row` to row numbers.
    """

    hook_names: tuple[str, ...]
    n_rows: int
    d_model: int
    shards: tuple[Path, ...]

    def level(self, hook_name: str) -> Float[Tensor, "row d_model"]:
        """All rows at one hook point, as float32. The shards are memory-mapped; only this level is read.

        Raises:
            KeyError: `hook_name` was not collected.
        """
        if hook_name not in self.hook_names:
            raise KeyError(f"{hook_name} was not collected; there are {', '.join(self.hook_names)}")
        rows = torch.empty(self.n_rows, self.d_model)
        filled = 0
        for shard in self.shards:
            with safe_open(shard, framework="pt") as file:
                index = file.get_tensor(ROW)
                rows[index] = file.get_tensor(hook_name).float()
                filled += len(index)
        if filled != self.n_rows:
            raise IntegrityError(
                f"{self.shards[0].parent} holds {filled} rows, expected {self.n_rows}; delete it, run again"
            )
        return rows

    def stack(self) -> Float[Tensor, "row level d_model"]:
        """Every level at once; for data that fits into memory."""
        return torch.stack([self.level(name) for name in self.hook_names], dim=1)

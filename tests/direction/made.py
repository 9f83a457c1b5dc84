"""A direction that no study had to find: random vectors at the embedding and every block of a model."""

import torch

from latentmech.direction import Direction, unit
from latentmech.model import levels_of


def made(model, layer=1, seed=0, name="kindness") -> Direction:
    generator = torch.Generator().manual_seed(seed)
    names = [level.hook_name for level in levels_of(model.n_layers)]

    def drawn():
        return {name: torch.randn(model.d_model, generator=generator) for name in names}

    raw = drawn()
    return Direction(
        hook_name=f"blocks.{layer}.hook_resid_post",
        vectors={name: unit(vector) for name, vector in raw.items()},
        positive_means=drawn(),
        negative_means=drawn(),
        norms={name: float(3 * vector.norm()) for name, vector in raw.items()},
        resid_norms={name: 10.0 + i for i, name in enumerate(names)},
        spreads={name: 0.5 + i for i, name in enumerate(names)},
        card={"name": name, "model": {"name": model.name, "identity": model.identity}, "licence": "Apache-2.0"},
    )

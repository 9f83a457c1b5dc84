"""Where states lie between the table that tokens come in by and the one that they go out by.

    own embedding      cosine of a state and the embedding row of the token at its position
    own unembedding    the same with that token's row of the unembedding
    next unembedding   the same with the row of the token that follows

each minus nothing but the means: states are centred by level and rows over the vocabulary, for without that all of them
share a direction and every cosine is large. Random: rows of tokens of other positions, as frequent as the right ones.

A state that leaves its own token's row and comes near the next one's is what a model that predicts must do; how far
along each level is depends on norms and on the final norm too, which a cosine does not see.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.geometry.lens.next_token import TokenPlaces

Grids = dict[str, Float[np.ndarray, "level row"]]


def cosines(
    places: TokenPlaces, embed: Float[Tensor, "vocab d_model"], unembed: Float[Tensor, "vocab d_model"], seed: int
) -> tuple[Grids, Grids]:
    """By kind, of every state with its token's row, and with that of a token from elsewhere.

    Where both tables are one, the unembedding of the own token is left out.
    """
    order = torch.randperm(len(places.ids), generator=torch.Generator().manual_seed(seed))
    apart = {} if torch.equal(embed, unembed) else {"own_unembedding": (unembed, places.ids)}
    wanted = {"own_embedding": (embed, places.ids), **apart, "next_unembedding": (unembed, places.targets)}
    centred = places.states.float() - places.states.float().mean(1, keepdim=True)
    own = {kind: _with_rows(centred, table, ids) for kind, (table, ids) in wanted.items()}
    return own, {kind: _with_rows(centred, table, ids[order]) for kind, (table, ids) in wanted.items()}


def _with_rows(
    states: Float[Tensor, "level row d_model"], table: Float[Tensor, "vocab d_model"], ids: Int[Tensor, " row"]
) -> Float[np.ndarray, "level row"]:
    rows = (table[ids.to(table.device)].float() - table.float().mean(0)).to(states.device)
    return torch.cosine_similarity(states, rows[None], dim=2).double().cpu().numpy()

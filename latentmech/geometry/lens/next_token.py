"""Every token of some texts as a place where the next one is to be told, and what chance and frequency tell.

    log-loss      -log p(right token), in nats
    rank          tokens that are held likelier than the right one
    KL            from the last level's distribution to that of a level, in nats
    agreement     the likeliest token is that of the last level

read through the logit lens at every level. A level whose log-loss is above that of the unigram model is not known to
know nothing: the head was trained for the last level only, and a basis that turns on the way hides from it what is
there (Belrose et al. 2023, "Eliciting latent predictions with the tuned lens").

Beside that, where states lie between the table that tokens come in by and the one that they go out by:

    own embedding      cosine of a state and the embedding row of the token at its position
    own unembedding    the same with that token's row of the unembedding
    next unembedding   the same with the row of the token that follows

each minus nothing but the means: states are centred by level and rows over the vocabulary, for without that all of them
share a direction and every cosine is large. Random: rows of tokens of other positions, as frequent as the right ones.

A state that leaves its own token's row and comes near the next one's is what a model that predicts must do; how far
along each level is depends on norms and on the final norm too, which a cosine does not see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.activations import Request, collect
from latentmech.data import Examples
from latentmech.model import Level, Model, length_sorted, read_out, tokenise, unembedding
from latentmech.statistics import clusters_of

CHUNK = 128  # rows whose distributions are held at once
ADDED = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # to the counts of the unigram model
Grids = dict[str, Float[np.ndarray, "level row"]]
METRICS = ("log_loss", "accuracy", "reciprocal_rank", "rank", "entropy", "kl", "agreement")


@dataclass(frozen=True, eq=False)
class TokenPlaces:
    """Tokens whose next token is asked for, and their states.

    Attributes:
        ids: the token at each place.
        targets: the one that follows.
        clusters: the document of each, numbered from 0.
        states: by level, in order of depth.
    """

    ids: Int[Tensor, " row"]
    targets: Int[Tensor, " row"]
    clusters: Int[np.ndarray, " row"]
    states: Float[Tensor, "level row d_model"]


@dataclass(frozen=True, eq=False)
class LensReadings:
    """Numbers of every level and place by metric, `shuffled` with the right tokens of others; the likeliest token."""

    own: Grids
    shuffled: Grids
    top: Int[np.ndarray, "level row"]


def places_in(model: Model, examples: Examples, levels: Sequence[Level], first: int = 1) -> TokenPlaces:
    """All tokens of the texts but the last of each; by default without position 0, which has seen nothing."""
    tokens = tokenise(model, examples.texts, examples.ids)
    rows = [(text, at, at) for text, ids in enumerate(tokens.ids) for at in range(first, len(ids) - 1)]
    hook_names, wanted = tuple(level.hook_name for level in levels), np.array(rows, dtype=np.int64).reshape(-1, 3)
    request = Request(model=model, tokens=tokens, rows=wanted, hook_names=hook_names)
    order = length_sorted(tokens.lengths)
    states = collect(request, order)
    found = request.rows[request.rows_in(order)]
    ids, targets = (torch.tensor([int(tokens.ids[text][at + i]) for text, at, _ in found]) for i in (0, 1))
    return TokenPlaces(ids, targets, clusters_of(np.array(examples.groups, dtype=object)[found[:, 0]]), states)


def readings(model: Model, places: TokenPlaces, seed: int, progress: Callable[[int], object] = int) -> LensReadings:
    """Read every level at every place, a few places at a time."""
    n_levels, n_rows = places.states.shape[:2]
    own = {name: np.empty((n_levels, n_rows)) for name in METRICS}
    shuffled = {name: np.empty((n_levels, n_rows)) for name in METRICS[:3]}
    top = np.empty((n_levels, n_rows), dtype=np.int64)
    others = places.targets[torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))]
    for begin in range(0, n_rows, CHUNK):
        part = slice(begin, begin + CHUNK)
        last = _said(model, places.states[-1, part])
        for level in range(n_levels):
            said = _said(model, places.states[level, part])
            top[level, part] = said.argmax(1).numpy()
            right, wrong = (_told(said, targets[part]) for targets in (places.targets, others))
            for grids, numbers in ((own, right | _shape(said, last)), (shuffled, wrong)):
                for name, grid in grids.items():
                    grid[level, part] = numbers[name].numpy()
            progress(len(said))
    return LensReadings(own, shuffled, top)


def _said(model: Model, states: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocab"]:
    return read_out(model, states.to(model.torch_device)).cpu()


def _told(said: Float[Tensor, "row vocab"], targets: Int[Tensor, " row"]) -> dict[str, Float[Tensor, " row"]]:
    right = said.gather(1, targets[:, None])
    rank = (said > right).sum(1).float()
    return {"log_loss": -right[:, 0], "accuracy": (rank == 0).float(), "reciprocal_rank": 1 / (rank + 1), "rank": rank}


def _shape(said: Float[Tensor, "row vocab"], last: Float[Tensor, "row vocab"]) -> dict[str, Float[Tensor, " row"]]:
    return {
        "entropy": -(said.exp() * said).sum(1),
        "kl": (last.exp() * (last - said)).sum(1).clamp(min=0),
        "agreement": (said.argmax(1) == last.argmax(1)).float(),
    }


def unigram(model: Model, train: Examples, dev: Examples, places: TokenPlaces) -> dict[str, Float[np.ndarray, " row"]]:
    """What a model that knows frequencies only says at every place.

    It counts tokens of other texts and adds to each count the constant that is best on `dev`.
    """
    counts, held_out = _counts(model, train), _counts(model, dev)
    smoothed = [counts + added for added in ADDED]
    said = max(((some / some.sum()).log() for some in smoothed), key=lambda said: float(held_out @ said))
    told = _told(said.float()[None].expand(len(places.targets), -1), places.targets)
    return {name: told[name].double().numpy() for name in METRICS[:4]}


def _counts(model: Model, texts: Examples) -> Float[Tensor, " vocab"]:
    tokens = tokenise(model, texts.texts, texts.ids)
    seen = np.concatenate([ids[n:] for ids, n in zip(tokens.ids, tokens.n_bos, strict=True)])
    return torch.from_numpy(np.bincount(seen, minlength=len(unembedding(model)))).double()


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

"""`Vectors`: named vectors with a card of what made them, so that nothing is ever compared across models or levels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Level, Model, SentenceEncoder
from latentmech.retrieval.spaces import CosineSpace

Card = Mapping[str, Any]


@dataclass(frozen=True)
class Vectors:
    """Vectors of texts.

    Attributes:
        rows: their vectors; none is zero, since a cosine needs a direction.
        card: what made them: model, fingerprint, level, pooling, coordinates.
    """

    ids: tuple[str, ...]
    rows: Float[Tensor, "row d"]
    card: Card

    def __post_init__(self) -> None:
        lengths = self.rows.norm(dim=-1)
        if len(bad := (~(torch.isfinite(lengths) & (lengths > 0))).nonzero()):
            worst = self.ids[int(bad[0])]
            raise BadInput(f"the vector of {worst} is zero or not finite; it has no cosine to anything: leave it out")


def check_card(own: Card, other: Card, where: str) -> None:
    """IntegrityError unless both cards say the same; the message names what differs."""
    for key in sorted(set(own) | set(other)):
        if own.get(key) != other.get(key):
            raise IntegrityError(
                f"{where} was filled with {key}={own.get(key)}, these vectors have {key}={other.get(key)}; "
                "vectors of different origin cannot be compared: name another index"
            )


@dataclass(frozen=True, kw_only=True)
class LevelEncoder:
    """Texts to vectors through one level of a model.

    Attributes:
        pooling: `last`, `mean` or `weighted_mean` over a text's tokens.
        space: the coordinates, fitted to the documents.
    """

    model: Model
    store: ActivationStore
    level: Level
    pooling: str
    space: CosineSpace

    def __call__(self, examples: Examples) -> Vectors:
        """Encode whole texts; from the store, if it has them."""
        position = f"text_{self.pooling}"
        found = self.store.get(self.model, examples, [self.level], position)
        return Vectors(examples.ids, self.space(found.level(self.level.hook_name)), self.card)

    @property
    def card(self) -> Card:
        """What its vectors are made by."""
        own = {"model": self.model.name, "fingerprint": self.model.fingerprint, "hook_name": self.level.hook_name}
        return own | {"pooling": self.pooling, "space": self.space.kind, "space_fingerprint": self.space.fingerprint}


def by_sentence_encoder(encoder: SentenceEncoder, examples: Examples, side: str) -> Vectors:
    """Texts to vectors through a sentence encoder, behind its own prompt for a `query` or a `document`."""
    card = {"model": encoder.name, "fingerprint": encoder.fingerprint, "pooling": encoder.pooling}
    return Vectors(examples.ids, encoder.encode(examples.texts, side), card)
